// Whether a value satisfies a JSON Schema, written from the specification and apart from the
// grammars: what tests hold generated texts to.
#pragma once

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>

#include "base/utf8.h"
#include "config/json.h"

namespace llmctl::grammar::test {

inline bool is_of_type(const Json& value, const std::string& type) {
  if (type == "integer") {
    return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
  }
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

// Of formats only the lengths; of patterns those that std::regex knows.
inline bool satisfies(const Json& value, const Json& schema, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  const auto holds = [&](const Json& one) { return satisfies(value, one, root); };
  const auto has = [&](const char* key) { return schema.contains(key); };
  const auto number = [&](const char* key) { return schema[key].get<double>(); };
  if (has("$ref") &&
      !holds(root.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1))))) {
    return false;
  }
  if (has("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    if (std::none_of(types.begin(), types.end(),
                     [&](const Json& type) { return is_of_type(value, type); })) {
      return false;
    }
  }
  if (has("const") && value != schema["const"]) return false;
  if (has("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
    return false;
  }
  if (has("allOf") && !std::all_of(schema["allOf"].begin(), schema["allOf"].end(), holds)) {
    return false;
  }
  if (has("anyOf") && !std::any_of(schema["anyOf"].begin(), schema["anyOf"].end(), holds)) {
    return false;
  }
  if (has("oneOf") && std::count_if(schema["oneOf"].begin(), schema["oneOf"].end(), holds) != 1) {
    return false;
  }
  if (value.is_number()) {
    const double x = value.get<double>();
    if ((has("minimum") && x < number("minimum")) || (has("maximum") && x > number("maximum")) ||
        (has("exclusiveMinimum") && x <= number("exclusiveMinimum")) ||
        (has("exclusiveMaximum") && x >= number("exclusiveMaximum"))) {
      return false;
    }
  }
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    const auto length = static_cast<double>(count_code_points(text));
    if ((has("minLength") && length < number("minLength")) ||
        (has("maxLength") && length > number("maxLength"))) {
      return false;
    }
    if (has("pattern") &&
        !std::regex_search(text, std::regex(schema["pattern"].get<std::string>()))) {
      return false;
    }
    if (has("format") && schema["format"] == "date" && text.size() != 10) return false;
    if (has("format") && schema["format"] == "uuid" && text.size() != 36) return false;
  }
  if (value.is_array()) {
    const auto size = static_cast<double>(value.size());
    if ((has("minItems") && size < number("minItems")) ||
        (has("maxItems") && size > number("maxItems"))) {
      return false;
    }
    const Json first = schema.value("prefixItems", Json::array());
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json& item = i < first.size() ? first[i] : schema.value("items", Json(true));
      if (!satisfies(value[i], item, root)) return false;
    }
  }
  if (value.is_object()) {
    const auto size = static_cast<double>(value.size());
    if ((has("minProperties") && size < number("minProperties")) ||
        (has("maxProperties") && size > number("maxProperties"))) {
      return false;
    }
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      const Json own = properties.contains(name) ? properties[name]
                                                 : schema.value("additionalProperties", Json(true));
      if (!satisfies(member, own, root)) return false;
    }
  }
  return true;
}

}  // namespace llmctl::grammar::test
