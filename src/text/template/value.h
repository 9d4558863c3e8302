// Values of the template language: Python's, as far as chat templates need them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/json.h"

namespace llmctl::jinja {

/// Text that remembers where it came from: the template itself, or the data that it was given.
class Text {
 public:
  Text() = default;
  /// `mark`: what data() has for its bytes; 0 for the template's own.
  Text(std::string text, char mark) : text_(std::move(text)) {
    if (mark != 0) data_.assign(text_.size(), mark);
  }
  /// `like` says what all of it is: data if any byte of that is.
  Text(std::string text, const Text& like) : Text(std::move(text), like.mark()) {}

  const std::string& text() const { return text_; }
  std::string_view view() const { return text_; }
  std::size_t size() const { return text_.size(); }
  bool empty() const { return text_.empty(); }
  /// Of its first byte of data; 0 where it has none.
  char mark() const {
    const std::size_t found = data_.find_first_not_of('\0');
    return found == data_.npos ? '\0' : data_[found];
  }
  /// One byte for each of the text's, its mark where it is data, else 0; empty where nothing is.
  const std::string& data() const { return data_; }

  void append(const Text& other);
  Text substr(std::size_t begin, std::size_t count = std::string::npos) const;

 private:
  std::string text_, data_;
};

class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<Value, Value>>;

/// Arguments of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};
using Function = std::function<Value(const Arguments&)>;

struct Undefined {
  std::string message;  ///< what using it says: "'x' is undefined"
};
struct None {};
struct ListRef {
  std::shared_ptr<List> list;
  int depth = 1;  ///< of lists and dicts in one another
};
struct DictRef {
  std::shared_ptr<Dict> dict;
  bool is_namespace = false;  ///< its members can be set
  int depth = 1;
};
struct FunctionRef {
  std::shared_ptr<Function> function;
  std::string name;
};

class Value {
 public:
  static constexpr int kMaxDepth = 100;
  using Storage = std::variant<Undefined, None, bool, std::int64_t, double, Text, ListRef, DictRef,
                               FunctionRef>;

  Value() : storage_(None{}) {}
  Value(Undefined value) : storage_(std::move(value)) {}
  Value(bool value) : storage_(value) {}
  Value(std::int64_t value) : storage_(value) {}
  Value(int value) : storage_(static_cast<std::int64_t>(value)) {}
  Value(double value) : storage_(value) {}
  Value(Text value) : storage_(std::move(value)) {}
  Value(const char* literal) : storage_(Text(literal, '\0')) {}
  /// kData when they are nested deeper than kMaxDepth, or hold a namespace or function (so that no
  /// value ever holds itself).
  Value(List list);
  Value(Dict dict);
  Value(DictRef dict) : storage_(std::move(dict)) {}
  Value(FunctionRef function) : storage_(std::move(function)) {}

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(storage_);
  }
  template <class T>
  const T& get() const {
    return std::get<T>(storage_);
  }
  bool is_number() const { return is<std::int64_t>() || is<double>() || is<bool>(); }
  double number() const;         ///< of a number
  std::int64_t integer() const;  ///< of an int or bool
  const List& list() const { return *get<ListRef>().list; }
  const Dict& dict() const { return *get<DictRef>().dict; }
  /// Of lists and dicts in one another; 0 for others. kData for what no container may hold.
  int depth_inside() const;
  /// A member of a dict, or null.
  const Value* find(std::string_view key) const;

  bool truth() const;
  /// As Python's str() and repr(); an undefined value is "".
  Text str() const;
  Text repr() const;
  /// "dict object", as errors name it.
  std::string type_name() const;

 private:
  Storage storage_;
};

bool equal(const Value& a, const Value& b);
/// -1, 0 or 1 for two numbers or two texts; lists item by item. Sets `comparable` to false for
/// others.
int compare(const Value& a, const Value& b, bool& comparable);

/// A value of JSON; its texts have the mark (0: they count as the template's own).
Value from_json(const Json& json, char mark);
/// As Python's json.dumps(ensure_ascii=False); `indent` < 0: on one line.
Text to_json(const Value& value, int indent, bool sort_keys);

}  // namespace llmctl::jinja
