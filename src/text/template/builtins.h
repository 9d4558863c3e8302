// What the template language brings along: filters and tests (filters.cpp), methods, operations and
// global functions.
#pragma once

#include <string>

#include "text/template/value.h"

namespace llmctl::jinja {

/// Bounds on what a template may do; checked as it goes.
class Budget {
 public:
  /// Bytes that all texts and lists of one rendering may take together, and evaluations.
  static constexpr std::uint64_t kBytes = 256u << 20, kSteps = 5'000'000;
  static constexpr std::size_t kOutput = 16u << 20;

  void step();
  void bytes(std::size_t count);

 private:
  std::uint64_t steps_ = 0, bytes_ = 0;
};

/// What a template raised, or an operation that failed; the evaluator adds the line.
struct Raised {
  std::string message;
};

[[noreturn]] void raise(std::string message);
/// Raises the message of an undefined value; other values pass.
const Value& defined(const Value& value);

/// What `for` goes over: items of a list, keys of a dict, characters of a text, nothing for an
/// undefined value. Raises for others.
List items_of(const Value& value, Budget& budget);

/// value.name, value["name"], value[3]: undefined where there is none.
Value attribute_of(const Value& value, const std::string& name, Budget& budget);
Value item_of(const Value& value, const Value& key);
Value slice_of(const Value& value, const Value& begin, const Value& end, const Value& step,
               Budget& budget);

Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget);
bool compares(const std::string& sign, const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);

bool has_filter(const std::string& name);
Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Budget& budget);
bool has_test(const std::string& name);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments,
                Budget& budget);

/// range, dict, namespace, raise_exception, strftime_now; undefined for other names.
Value global(const std::string& name, Budget& budget);

}  // namespace llmctl::jinja
