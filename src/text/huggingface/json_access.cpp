#include "text/huggingface/json_access.h"

namespace llmctl {

JsonAccess JsonAccess::operator[](const char* name) const {
  if (!json_.is_object()) fail("expected an object");
  if (!json_.contains(name)) fail("missing \"", name, "\"");
  return {json_[name], file_, path_.empty() ? name : concat(path_, ".", name)};
}

JsonAccess JsonAccess::operator[](std::size_t index) const {
  if (index >= size()) fail("has no element ", index);
  return {json_[index], file_, concat(path_, "[", index, "]")};
}

std::size_t JsonAccess::size() const {
  if (!json_.is_array()) fail("expected a list");
  return json_.size();
}

std::string JsonAccess::string() const {
  if (!json_.is_string()) fail("expected a string");
  return json_.get<std::string>();
}

bool JsonAccess::boolean() const {
  if (!json_.is_boolean()) fail("expected true or false");
  return json_.get<bool>();
}

std::int64_t JsonAccess::integer(std::int64_t min, std::int64_t max) const {
  const bool fits = json_.is_number_integer() &&
                    !(json_.is_number_unsigned() && json_.get<std::uint64_t>() > INT64_MAX) &&
                    json_.get<std::int64_t>() >= min && json_.get<std::int64_t>() <= max;
  if (!fits) fail("expected an integer from ", min, " to ", max);
  return json_.get<std::int64_t>();
}

double JsonAccess::number() const {
  if (!json_.is_number()) fail("expected a number");
  return json_.get<double>();
}

std::string JsonAccess::string_or(const char* name, const std::string& otherwise) const {
  return has(name) ? (*this)[name].string() : otherwise;
}

bool JsonAccess::boolean_or(const char* name, bool otherwise) const {
  return has(name) ? (*this)[name].boolean() : otherwise;
}

std::int64_t JsonAccess::integer_or(const char* name, std::int64_t otherwise, std::int64_t min,
                                    std::int64_t max) const {
  return has(name) ? (*this)[name].integer(min, max) : otherwise;
}

void JsonAccess::refuse_type(const char* what, const char* supported) const {
  fail(what, " \"", type(), "\" is not supported, supported are ", supported);
}

}  // namespace llmctl
