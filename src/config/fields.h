// One truth per key: a struct names each field once, with its default (the member's initialiser),
// its help and its limits; reading, echo, schema and documentation are visitors over that.
//
//   struct OptimConfig {
//     double lr = 3e-4;
//     std::string schedule = "cosine";
//     template <class Self, class Visitor> static void fields(Self& self, Visitor& visit) {
//       visit("lr", self.lr, "Peak learning rate.", Range<double>{0, 1});
//       visit("schedule", self.schedule, "Decay after the warm-up.", OneOf{{"cosine", "linear",
//       "constant"}});
//     }
//     void validate(const ConfigNode& node) const;   // optional: rules across fields;
//     node.fail("lr", …) names the place
//   };
//
// Beside limits a field may say: Change, whether it may change when a run goes on; PathKey, that it
// is a path; OneOrMore, that one element may stand for a list. A struct with
//   static constexpr const char* kShorthand = "path";
// may be written as that member's value alone.
//
// Field types: bool, std::int64_t, double, std::string, Json (read by a registry later),
// std::optional<T>, std::vector<T>, std::map<std::string, T>, and structs with fields().
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// Closed interval of a number.
template <class T>
struct Range {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};

/// The only strings allowed.
struct OneOf {
  std::vector<std::string> values;
};

/// Whether a key may change between two parts of one run. A section's grade is that of its members
/// which say nothing; where nobody says anything, it is kNever.
enum class Change {
  kNever,      ///< shapes, the task, what content is: another value is another run
  kOnRequest,  ///< length, learning rate, …: the run goes on with `--change`, and records it
  kFree        ///< changes no result beyond rounding: memory, devices, reports, places of files
};

/// The value is a path, or each element is one. Relative ones are relative to the working
/// directory, "~" and "~/…" is the home directory (expanded when the key is read). An empty value
/// and "-" are none.
struct PathKey {
  bool or_name = false;  ///< a name with a meaning of its own is allowed too ("org/name"): what is
                         ///< no existing file and begins with none of / . ~ stays as it is
};

/// One element may be written without the list around it.
struct OneOrMore {};

/// What a field that is kept as JSON may be, for documentation and schema: "integer",
/// "list of string", … joined by " or ". Whoever uses the field checks its value.
struct Kinds {
  const char* text;
};

/// A value of a configuration together with where it was written.
class ConfigNode {
 public:
  ConfigNode(const Json* value, std::string path, const JsonDocument* document,
             ErrorCode code = ErrorCode::kConfig)
      : value_(value), path_(std::move(path)), document_(document), code_(code) {}

  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool has(const std::string& key) const { return value_->is_object() && value_->contains(key); }
  /// The member; a null value when there is none.
  ConfigNode child(const std::string& key) const;
  ConfigNode child(std::size_t index) const;
  /// Another value in this one's place: what was written there, completed.
  ConfigNode with_value(const Json* value) const { return {value, path_, document_, code_}; }
  /// " (file:line:column)" of this value or the nearest enclosing one; "" when unknown.
  std::string place() const;
  /// Throws "PATH.KEY: message (file:line:column)" with this node's code; an empty key is the node
  /// itself, a key that is not there gets the place of what should hold it.
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  const Json* value_;
  std::string path_;
  const JsonDocument* document_;
  ErrorCode code_;
};

/// Fills `out` from an object node. Errors: unknown key (with did-you-mean), wrong type (expected,
/// got), out of range, not one of. Missing keys keep their defaults. Integers must be written as
/// integers, in range; null resets an optional. Keys of `also_allowed` belong to somebody else and
/// are passed over (a registry's "type"). Afterwards out.validate(node) is called where there is
/// one.
template <class T>
void read_config(const ConfigNode& node, T& out, const std::vector<std::string>& also_allowed = {});

/// Every key with its value, defaults included, in the order of fields(); absent optionals are left
/// out.
template <class T>
Json config_to_json(const T& config);

/// JSON Schema (draft-07) of the struct, to be put into a larger one; schema_document() makes it
/// stand alone.
template <class T>
Json config_schema();
Json schema_document(const Json& schema, const std::string& title);

/// One line per key for the documentation. Elements of lists are "path[].key", of maps
/// "path.NAME.key"; `limits` reads "0 to 10", "at least 1", "cosine, linear" or nothing.
struct FieldDoc {
  std::string path, type, default_value, help, limits;
  Change change = Change::kNever;
  std::optional<PathKey> file;  ///< of paths
};
template <class T>
std::vector<FieldDoc> describe_config(const std::string& prefix = "",
                                      Change change = Change::kNever);

/// The grade of a dotted path (list elements by number or left out) among `fields`; a path that is
/// in none has that of what holds it, kNever in the end.
Change change_of(const std::vector<FieldDoc>& fields, const std::string& path);

/// Calls `use` with every path of a configuration.
void for_each_path(Json& config, const std::vector<FieldDoc>& fields,
                   const std::function<void(const FieldDoc& field, Json& path)>& use);

/// Makes every path of a resolved configuration absolute, normal and free of "~".
void make_paths_absolute(Json& config, const std::vector<FieldDoc>& fields);

/// Dotted paths of the leaves whose values differ, both ways, sorted; lists of equal length are
/// compared element by element ("data.train.0.weight"), others as a whole.
std::vector<std::string> differing_keys(const Json& a, const Json& b);

/// The value of a dotted path; null when there is none.
const Json* value_at(const Json& config, const std::string& path);

/// "~" and "~/…" with the home directory in its place. kConfig when HOME is not set, and for
/// another user's ("~name/…").
std::string expand_home(const std::string& path);
/// The same relative to the working directory, normal; what `rule` takes for a name stays.
std::string absolute_path(const std::string& path, PathKey rule = {});

/// A section read from a document, with every default.
template <class T>
Json resolve_section(const ConfigNode& node, const std::vector<std::string>& also_allowed = {}) {
  T section;
  read_config(node, section, also_allowed);
  return config_to_json(section);
}

/// The nearest of `names` within an edit distance that a slip of the hand explains, as ", did you
/// mean 'x'?"; or "".
std::string did_you_mean(const std::string& name, const std::vector<std::string>& names);

}  // namespace llmctl

#include "config/fields_impl.h"
