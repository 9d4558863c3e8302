#include "text/grammar/schema_keywords.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "config/fields.h"

namespace llmctl::grammar {
namespace {

constexpr int kMostReferences = 64;
constexpr int kDeepestComparison = 8;

constexpr std::array<std::string_view, 15> kAnnotations = {
    "title",    "description", "default",  "examples",  "example", "$schema",     "$id",    "id",
    "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions", "$anchor"};
/// A keyword with the type whose values it is about; "" for all.
struct Keyword {
  std::string_view name, type;
};
constexpr std::array<Keyword, 27> kDone = {{{"type", ""},
                                            {"enum", ""},
                                            {"const", ""},
                                            {"anyOf", ""},
                                            {"oneOf", ""},
                                            {"allOf", ""},
                                            {"$ref", ""},
                                            {"properties", "object"},
                                            {"required", "object"},
                                            {"additionalProperties", "object"},
                                            {"minProperties", "object"},
                                            {"maxProperties", "object"},
                                            {"items", "array"},
                                            {"prefixItems", "array"},
                                            {"additionalItems", "array"},
                                            {"minItems", "array"},
                                            {"maxItems", "array"},
                                            {"uniqueItems", "array"},
                                            {"minLength", "string"},
                                            {"maxLength", "string"},
                                            {"pattern", "string"},
                                            {"format", "string"},
                                            {"minimum", "number"},
                                            {"maximum", "number"},
                                            {"exclusiveMinimum", "number"},
                                            {"exclusiveMaximum", "number"},
                                            {"multipleOf", "number"}}};

const Keyword* find_keyword(std::string_view name) {
  const auto* found = std::find_if(kDone.begin(), kDone.end(),
                                   [&](const Keyword& keyword) { return keyword.name == name; });
  return found == kDone.end() ? nullptr : found;
}

bool contains(const Json& list, const Json& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

Json intersection(const Json& a, const Json& b) {
  Json both = Json::array();
  for (const Json& value : a) {
    if (contains(b, value)) both.push_back(value);
  }
  return both;
}

Json union_of(Json a, const Json& b) {
  for (const Json& value : b) {
    if (!contains(a, value)) a.push_back(value);
  }
  return a;
}

Json all_of(const Json& a, const Json& b) {
  return {{"allOf", Json::array({a, b})}};
}

Json as_list(const Json& value) {
  return value.is_array() ? value : Json::array({value});
}

/// Types that both lists allow; whole numbers are numbers.
Json common_types(const Json& a, const Json& b) {
  Json both = intersection(a, b);
  if ((contains(a, "integer") && contains(b, "number")) ||
      (contains(a, "number") && contains(b, "integer"))) {
    if (!contains(both, "number") && !contains(both, "integer")) both.push_back("integer");
  }
  return both;
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  return std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end() ||
         keyword.starts_with("x-");
}

bool says_nothing(const Json& schema, std::string_view without) {
  if (!schema.is_object()) return schema == true;
  return std::all_of(schema.items().begin(), schema.items().end(), [&](const auto& member) {
    return is_annotation(member.key()) || member.key() == without;
  });
}

std::string type_of(const Json& value) {
  if (value.is_number_float()) {
    return std::floor(value.get<double>()) == value.get<double>() ? "integer" : "number";
  }
  if (value.is_number()) return "integer";
  return value.type_name();
}

std::vector<std::string> types_of(const Json& schema) {
  std::vector<std::string> types;
  if (schema.contains("type")) {
    for (const Json& type : as_list(schema["type"])) types.push_back(type.get<std::string>());
    if (std::find(types.begin(), types.end(), "number") != types.end()) {
      std::erase(types, "integer");
    }
    return types;
  }
  for (const auto& [key, value] : schema.items()) {
    const Keyword* keyword = find_keyword(key);
    if (keyword == nullptr || keyword->type.empty()) continue;
    const std::string type(keyword->type);
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  return types;
}

Json values_of(const Json& schema) {
  if (schema.contains("const")) return Json::array({schema["const"]});
  return schema.value("enum", Json());
}

const Json& SchemaDocument::at(const std::string& reference, const std::string& path) const {
  if (!reference.starts_with("#")) {
    refuse(path, "only references within the document are followed (#/…), got \"", reference, "\"");
  }
  try {
    const Json::json_pointer pointer(reference.substr(1));
    if (root_.contains(pointer)) return root_.at(pointer);
  } catch (const nlohmann::json::exception&) {
    // no pointer: as if nothing were there
  }
  refuse(path, "nothing is at the reference \"", reference, "\"");
}

void SchemaDocument::check(const Json& schema, const std::string& path) const {
  if (schema.is_boolean()) return;
  if (!schema.is_object()) {
    refuse(path, "expected a schema (an object, true or false), got ", schema.type_name());
  }
  static const std::array<std::string_view, 16> kKnown = {"not",
                                                          "if",
                                                          "then",
                                                          "else",
                                                          "patternProperties",
                                                          "propertyNames",
                                                          "contains",
                                                          "minContains",
                                                          "maxContains",
                                                          "dependentRequired",
                                                          "dependentSchemas",
                                                          "dependencies",
                                                          "unevaluatedProperties",
                                                          "unevaluatedItems",
                                                          "nullable",
                                                          "$dynamicRef"};
  for (const auto& [key, value] : schema.items()) {
    if (is_annotation(key) || find_keyword(key) != nullptr) continue;
    const bool known = std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end();
    std::vector<std::string> names;
    for (const Keyword& keyword : kDone) names.emplace_back(keyword.name);
    refuse(path, "keyword \"", key, "\" is not done", known ? "" : did_you_mean(key, names));
  }
  const auto expect = [&](const char* key, bool right, const char* what) {
    if (schema.contains(key) && !right) {
      refuse(path, "\"", key, "\": expected ", what, ", got ", schema[key].type_name());
    }
  };
  const auto value = [&](const char* key) { return schema.value(key, Json()); };
  const auto strings = [](const Json& list) {
    return list.is_array() &&
           std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_string(); });
  };
  static const std::vector<std::string> kTypes = {"object",  "array",   "string", "number",
                                                  "integer", "boolean", "null"};
  expect("type", strings(as_list(value("type"))), "a type or a list of types");
  for (const Json& type : schema.contains("type") ? as_list(schema["type"]) : Json::array()) {
    const auto name = type.get<std::string>();
    if (std::find(kTypes.begin(), kTypes.end(), name) != kTypes.end()) continue;
    refuse(path, "unknown type \"", name, "\"", did_you_mean(name, kTypes));
  }
  for (const char* key : {"properties"}) expect(key, value(key).is_object(), "an object");
  for (const char* key : {"anyOf", "oneOf", "allOf", "enum"}) {
    expect(key, value(key).is_array() && !value(key).empty(), "a list with at least one member");
  }
  expect("prefixItems", value("prefixItems").is_array(), "a list");
  expect("required", strings(value("required")), "a list of names");
  for (const char* key : {"$ref", "pattern", "format"}) {
    expect(key, value(key).is_string(), "a string");
  }
  for (const char* key :
       {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}) {
    expect(key, value(key).is_number() && value(key) >= 0, "a number from 0 up");
  }
  for (const char* key : {"minimum", "maximum", "multipleOf"}) {
    expect(key, value(key).is_number(), "a number");
  }
  for (const char* key : {"exclusiveMinimum", "exclusiveMaximum"}) {
    expect(key, value(key).is_number() || value(key).is_boolean(), "a number");
  }
}

Json SchemaDocument::flat(const Json& schema, const std::string& path, int depth) const {
  check(schema, path);
  if (!schema.is_object() || !(schema.contains("$ref") || schema.contains("allOf"))) return schema;
  if (depth == kMostReferences) refuse(path, "its references lead in a circle");
  Json rest = schema;
  rest.erase("$ref");
  rest.erase("allOf");
  if (schema.contains("$ref")) {
    rest = merged(rest, flat(at(schema["$ref"], path), path, depth + 1), path);
  }
  for (const Json& member : schema.value("allOf", Json::array())) {
    rest = merged(rest, flat(member, path, depth + 1), path);
  }
  return rest;
}

Json SchemaDocument::merged(const Json& a, const Json& b, const std::string& path) const {
  if (a == false || b == false) return false;
  if (says_nothing(a)) return b;
  if (says_nothing(b)) return a;
  check(a, path);
  check(b, path);
  // What one says of further properties holds for those that only the other names.
  const auto others = [](const Json& own, const Json& other) {
    Json properties = own.value("properties", Json::object());
    if (!other.contains("additionalProperties")) return properties;
    const Json named = other.value("properties", Json::object());
    for (auto& [name, schema] : properties.items()) {
      if (!named.contains(name)) schema = all_of(schema, other["additionalProperties"]);
    }
    return properties;
  };
  Json result = a;
  for (const auto& [key, value] : b.items()) {
    if (key == "properties" || is_annotation(key)) continue;
    result[key] = a.contains(key) ? merged_value(key, a[key], value, path) : value;
  }
  if (a.contains("properties") || b.contains("properties")) {
    Json properties = others(a, b);
    const Json added = others(b, a);
    for (const auto& [name, schema] : added.items()) {
      properties[name] = properties.contains(name) ? all_of(properties[name], schema) : schema;
    }
    result["properties"] = std::move(properties);
  }
  if (result.contains("type") && result["type"].empty()) return false;
  if (result.contains("enum") && result["enum"].empty()) return false;
  if (result.contains("enum") && result.contains("const")) {
    if (!contains(result["enum"], result["const"])) return false;
    result.erase("enum");
  }
  return result;
}

Json SchemaDocument::merged_value(const std::string& key, const Json& a, const Json& b,
                                  const std::string& path) const {
  if (a == b) return a;
  if (key == "type") return common_types(as_list(a), as_list(b));
  if (key == "enum") return intersection(a, b);
  if (key == "required") return union_of(a, b);
  if (key == "allOf") return union_of(a, b);
  if (key == "items" || key == "additionalProperties" || key == "additionalItems") {
    return all_of(a, b);
  }
  if (a.is_number() && b.is_number()) {
    const bool least = key == "minimum" || key == "exclusiveMinimum" || key == "minLength" ||
                       key == "minItems" || key == "minProperties";
    const bool most = key == "maximum" || key == "exclusiveMaximum" || key == "maxLength" ||
                      key == "maxItems" || key == "maxProperties";
    if (least) return std::max(a, b);
    if (most) return std::min(a, b);
  }
  refuse(path, "two different \"", key, "\" that hold together are not done");
}

bool SchemaDocument::apart(const Json& first, const Json& second, const std::string& path,
                           int depth) const {
  const Json a = flat(first, path), b = flat(second, path);
  if (a == false || b == false) return true;
  if (a == true || b == true || depth > kDeepestComparison) return false;
  const Json values_a = values_of(a), values_b = values_of(b);
  if (values_a.is_array() && values_b.is_array()) return intersection(values_a, values_b).empty();
  const auto listed = [](const Json& schema, const Json& values) {
    Json types = Json::array();
    for (const Json& value : values) types.push_back(type_of(value));
    return values.is_array() ? types : Json(types_of(schema));
  };
  const Json types_a = listed(a, values_a), types_b = listed(b, values_b);
  // Without a type, other keywords leave other types alone.
  const bool typed_a = values_a.is_array() || a.contains("type"),
             typed_b = values_b.is_array() || b.contains("type");
  const Json common = common_types(types_a, types_b);
  if (typed_a && typed_b && common.empty()) return true;
  if (!typed_a || !typed_b || common != Json::array({"object"})) return false;
  const auto requires_name = [](const Json& schema, const std::string& name) {
    return schema.contains("required") && contains(schema["required"], name);
  };
  const auto closed_without = [](const Json& schema, const std::string& name) {
    return schema.value("additionalProperties", Json(true)) == false &&
           !schema.value("properties", Json::object()).contains(name);
  };
  for (const Json* one : {&a, &b}) {
    const Json& other = one == &a ? b : a;
    for (const Json& item : one->value("required", Json::array())) {
      const auto name = item.get<std::string>();
      if (closed_without(other, name)) return true;
      if (!requires_name(other, name)) continue;
      const Json own = a.value("properties", Json::object()).value(name, Json(true));
      if (apart(own, b.value("properties", Json::object()).value(name, Json(true)), path,
                depth + 1)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace llmctl::grammar
