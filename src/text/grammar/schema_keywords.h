// JSON Schema's keywords: which are done, and schemas merged into one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"

namespace llmctl::grammar {

/// A schema document, for messages and references.
class SchemaDocument {
 public:
  /// Both outlive the object.
  SchemaDocument(const Json& root, const std::string& source) : root_(root), source_(source) {}

  const std::string& source() const { return source_; }
  /// kData when there is nothing at the reference ("#/$defs/name"), or it leads elsewhere.
  const Json& at(const std::string& reference, const std::string& path) const;

  /// kData unless the schema is an object or a boolean and each of its keywords is done.
  void check(const Json& schema, const std::string& path) const;
  /// The schema without $ref and allOf at its top.
  Json flat(const Json& schema, const std::string& path, int depth = 0) const;
  /// What satisfies both. kData, naming the keyword, where that cannot be said.
  Json merged(const Json& a, const Json& b, const std::string& path) const;
  /// Whether no value satisfies both, as far as types, constants and required properties tell.
  bool apart(const Json& a, const Json& b, const std::string& path, int depth = 0) const;

  template <class... Parts>
  [[noreturn]] void refuse(const std::string& path, const Parts&... parts) const {
    fail(ErrorCode::kData, source_, path, ": ", concat(parts...));
  }

 private:
  Json merged_value(const std::string& key, const Json& a, const Json& b,
                    const std::string& path) const;

  const Json& root_;
  const std::string& source_;
};

/// True for keywords that only describe.
bool is_annotation(std::string_view keyword);
/// Nothing but annotations, besides `without`.
bool says_nothing(const Json& schema, std::string_view without = "");
/// "type" as a list, "integer" beside "number" left out; without it the types that the schema's
/// keywords are for; none: any.
std::vector<std::string> types_of(const Json& schema);
/// The values of "const" or "enum"; null where there is neither.
Json values_of(const Json& schema);
/// Of JSON Schema: "integer" for whole numbers, "string", …
std::string type_of(const Json& value);

}  // namespace llmctl::grammar
