#include "text/grammar/json_schema.h"

#include <set>

#include "text/grammar/matching.h"
#include "text/grammar/schema_checker.h"

namespace llmctl::grammar {
namespace {

Json json(const std::string& text) {
  return parse_json(text, "schema");
}

Grammar schema(const std::string& text, int most_space = 20) {
  return parse_json_schema(json(text), "schema.json", {most_space});
}

/// Random texts of the schema's grammar are JSON that satisfies it.
std::set<std::string> expect_valid(const std::string& text, int count = 60) {
  SCOPED_TRACE(text);
  const Json parsed = json(text);
  const Grammar grammar = schema(text);
  Random random(random_key(11, text));
  std::set<std::string> texts;
  for (int i = 0; i < count; ++i) {
    const std::string made = test::random_text(grammar, random, 10 + random.below(60));
    texts.insert(made);
    const Json value = Json::parse(made, nullptr, false);
    EXPECT_FALSE(value.is_discarded()) << made;
    if (!value.is_discarded()) EXPECT_TRUE(test::satisfies(value, parsed, parsed)) << made;
    if (testing::Test::HasFailure()) break;
  }
  return texts;
}

TEST(JsonSchema, AnyJson) {
  for (const char* any : {"{}", "true", R"({"description": "whatever"})"}) {
    test::expect_matches(schema(any), {"null", "-1.5e3", "\"中\\u00e9\\n\"", "[]",
                                       "{\"a\": [1, {\"b\": {}}],\n  \"c\": true}", "0"});
    test::expect_no_matches(schema(any), {"", "01", "{a:1}", "[1,]", "\"\n\"", "\"\\ud800\"", "+1",
                                          "nul", "[1 2]", "'a'", "1.", "\x22\xFF\x22"});
    expect_valid(any, 200);
  }
  test::expect_matches(schema(R"({"type": "object"})"), {"{}", "{\"x\": [1]}"});
  test::expect_no_matches(schema(R"({"type": "object"})"), {"[]", "1"});
  test::expect_matches(schema(R"({"type": "array"})"), {"[]", "[{}, \"a\"]"});
  test::expect_refused([] { Matcher(schema("false")); }, "no text completes");
}

TEST(JsonSchema, WhiteSpaceIsBounded) {
  const char* text = R"({"type": "object", "properties": {"a": {"type": "null"},
                         "b": {"type": "null"}}, "required": ["a", "b"]})";
  test::expect_matches(schema(text), {"{\"a\":null,\"b\":null}", "{\"a\": null, \"b\": null}",
                                      "{\n  \"a\": null,\n\t\"b\": null\n}"});
  test::expect_no_matches(schema(text), {"{  \"a\":null,\"b\":null}", "{\"a\" :null,\"b\":null}",
                                         "{\n" + std::string(21, ' ') + "\"a\":null,\"b\":null}",
                                         " {\"a\":null,\"b\":null}"});
  test::expect_matches(schema(text, 0), {"{\"a\":null,\"b\":null}"});
  test::expect_no_matches(schema(text, 0), {"{\"a\": null,\"b\":null}"});
}

TEST(JsonSchema, Objects) {
  const char* text = R"({"type": "object", "properties": {
      "name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array",
      "items": {"type": "string"}}}, "required": ["age"]})";
  const Grammar grammar = schema(text);
  test::expect_matches(grammar, {R"({"name": "王", "age": 3, "tags": []})", R"({"age": 3})",
                                 R"({"age":3,"tags":["a", "b"]})", R"({"name":"","age":-1})"});
  test::expect_no_matches(
      grammar, {R"({})", R"({"name": "x"})", R"({"age": 1, "name": "x"})", R"({"age": 1.5})",
                R"({"age": 1, "other": 2})", R"({"age": 1,})", R"({,"age": 1})",
                R"({"age": 1 "tags": []})"});
  EXPECT_GT(expect_valid(text).size(), 30u);
  // Nothing is required.
  const Grammar free = schema(R"({"properties": {"a": true, "b": true, "c": true}})", 0);
  test::expect_matches(free, {"{}", R"({"a":1})", R"({"b":1})", R"({"c":1})", R"({"a":1,"c":1})",
                              R"({"a":1,"b":1,"c":1})"});
  test::expect_no_matches(free, {R"({"c":1,"a":1})", R"({"d":1})", R"({"a":1,"a":1})"});
}

TEST(JsonSchema, FurtherProperties) {
  const char* text = R"({"properties": {"ab": {"type": "integer"}, "a\"": {"type": "null"}},
      "required": ["ab"], "additionalProperties": {"type": "boolean"}})";
  const Grammar grammar = schema(text, 0);
  test::expect_matches(grammar,
                       {R"({"ab":1})", R"({"ab":1,"x":true})", R"({"ab":1,"a":true,"abc":false})",
                        R"({"ab":1,"a\"":null,"":true,"中":false})"});
  test::expect_no_matches(grammar,
                          {R"({"ab":1,"x":1})", R"({"ab":1,"ab":true})", R"({"ab":1,"a\"":true})",
                           R"({"x":true,"ab":1})", R"({"ab":1,"\u0061b":true})", R"({"ab":1,})"});
  expect_valid(text);
  // Maps.
  const char* map = R"({"type": "object", "additionalProperties": {"type": "integer"},
                        "minProperties": 1, "maxProperties": 2})";
  test::expect_matches(schema(map), {R"({"a": 1})", R"({"a": 1, "b": 2})"});
  test::expect_no_matches(schema(map), {"{}", R"({"a":1,"b":2,"c":3})", R"({"a":"1"})"});
  // Required, but nothing is said of it.
  test::expect_matches(schema(R"({"type": "object", "required": ["x"]})", 0), {R"({"x":[]})"});
  test::expect_no_matches(schema(R"({"type": "object", "required": ["x"]})", 0), {"{}"});
  test::expect_matches(schema(R"({"type": "object", "additionalProperties": false})", 0), {"{}"});
}

TEST(JsonSchema, Arrays) {
  test::expect_matches(schema(R"({"type": "array", "items": {"type": "integer"}, "minItems": 1,
                                  "maxItems": 3})"),
                       {"[1]", "[1, 2, 3]"});
  test::expect_no_matches(schema(R"({"type": "array", "items": {"type": "integer"}, "minItems": 1,
                                     "maxItems": 3})"),
                          {"[]", "[1,2,3,4]", "[1.5]"});
  const char* tuple = R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
                          "items": {"type": "null"}, "minItems": 1, "maxItems": 4})";
  test::expect_matches(schema(tuple), {"[1]", "[1, \"a\"]", "[1,\"a\",null, null]"});
  test::expect_no_matches(schema(tuple), {"[]", "[\"a\"]", "[1,2]", "[1,\"a\",null,null,null]"});
  expect_valid(tuple);
  const char* closed =
      R"({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false})";
  test::expect_matches(schema(closed), {"[]", "[1]", "[1,\"\"]"});
  test::expect_no_matches(schema(closed), {"[1,\"\",1]"});
  test::expect_matches(
      schema(R"({"items": [{"type": "integer"}], "additionalItems": {"type": "null"}})"),
      {"[1, null]"});
  test::expect_matches(schema(R"({"type": "array", "maxItems": 0})"), {"[]"});
  test::expect_no_matches(schema(R"({"type": "array", "maxItems": 0})"), {"[1]"});
  test::expect_refused(
      [] { Matcher(schema(R"({"type": "array", "minItems": 2, "maxItems": 1})")); },
      "no text completes");
}

TEST(JsonSchema, Strings) {
  const Grammar lengths = schema(R"({"type": "string", "minLength": 2, "maxLength": 3})");
  test::expect_matches(lengths, {"\"ab\"", "\"中国人\"", "\"\\n\\u00e9\"", "\"\\ud83d\\ude00x\""});
  test::expect_no_matches(lengths, {"\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\"", "ab"});
  expect_valid(R"({"type": "string", "minLength": 2, "maxLength": 5})");
  const Grammar pattern = schema(R"({"type": "string", "pattern": "^[a-z\"\\\\]+\\n?$"})");
  test::expect_matches(pattern, {R"("a\"\\b")", R"("x\n")"});
  test::expect_no_matches(pattern, {R"("A")", "\"a\"b\"", R"("")"});
  expect_valid(R"({"type": "string", "pattern": "[0-9]{2}"})");
  expect_valid(R"({"type": "string", "pattern": "^(\\([0-9]{3}\\))?[0-9]{3}-[0-9]{4}$"})");
  const Grammar date = schema(R"({"type": "string", "format": "date"})");
  test::expect_matches(date,
                       {"\"2024-02-29\"", "\"2023-12-31\"", "\"2000-02-29\"", "\"0001-01-01\""});
  test::expect_no_matches(date, {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-04-31\"",
                                 "\"2023-13-01\"", "\"2023-00-10\"", "\"2023-1-1\""});
  const Grammar time = schema(R"({"type": "string", "format": "date-time"})");
  test::expect_matches(time, {"\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.123+08:00\""});
  test::expect_no_matches(
      time, {"\"2024-02-29T24:00:00Z\"", "\"2024-02-29 10:00:00Z\"", "\"2024-02-29T10:00:00\""});
  test::expect_matches(schema(R"({"type": "string", "format": "time"})"), {"\"08:30:00Z\""});
  test::expect_matches(schema(R"({"type": "string", "format": "uuid"})"),
                       {"\"123e4567-e89b-12d3-a456-426614174000\""});
  expect_valid(R"({"type": "string", "format": "uuid"})", 5);
}

TEST(JsonSchema, Integers) {
  Random random(random_key(3, "integers"));
  for (int i = 0; i < 60; ++i) {
    const auto bound = [&] { return static_cast<std::int64_t>(random.below(260)) - 130; };
    Json bounds = {{"type", "integer"}};
    if (random.below(3) > 0) bounds[random.below(2) ? "minimum" : "exclusiveMinimum"] = bound();
    if (random.below(3) > 0) bounds[random.below(2) ? "maximum" : "exclusiveMaximum"] = bound();
    SCOPED_TRACE(bounds.dump());
    Grammar grammar = parse_json_schema(bounds, "schema");
    bool any = false;
    for (std::int64_t n = -300; n <= 300; ++n) any |= test::satisfies(n, bounds, bounds);
    if (!any) {
      test::expect_refused([&] { Matcher matcher(grammar); }, "no text completes");
      continue;
    }
    const Matcher start(grammar);
    for (std::int64_t n = -300; n <= 300; ++n) {
      Matcher matcher = start;
      const bool found = matcher.accept(std::to_string(n)) && matcher.complete();
      ASSERT_EQ(found, test::satisfies(n, bounds, bounds)) << n;
    }
    test::expect_no_matches(grammar, {"-0", "00", "01", "1.0", "-", ""});
  }
  test::expect_matches(schema(R"({"type": "integer", "minimum": 5})"), {"5", "123456789012345"});
  test::expect_matches(schema(R"({"type": "integer", "minimum": 1.5, "maximum": 1e3})"),
                       {"2", "1000"});
  test::expect_no_matches(schema(R"({"type": "integer", "minimum": 1.5, "maximum": 1e3})"),
                          {"1", "1001"});
}

TEST(JsonSchema, Numbers) {
  Random random(random_key(5, "numbers"));
  for (int i = 0; i < 40; ++i) {
    const auto bound = [&] { return static_cast<std::int64_t>(random.below(13)) - 6; };
    Json bounds = {{"type", "number"}};
    if (random.below(3) > 0) bounds[random.below(2) ? "minimum" : "exclusiveMinimum"] = bound();
    if (random.below(3) > 0) bounds[random.below(2) ? "maximum" : "exclusiveMaximum"] = bound();
    if (bounds.size() == 1) continue;
    SCOPED_TRACE(bounds.dump());
    Grammar grammar = parse_json_schema(bounds, "schema");
    bool any = false;
    for (int n = -700; n <= 700; ++n) any |= test::satisfies(n / 100.0, bounds, bounds);
    if (!any) {
      test::expect_refused([&] { Matcher matcher(grammar); }, "no text completes");
      continue;
    }
    const Matcher start(grammar);
    for (int n = -700; n <= 700; ++n) {
      char text[16];
      std::snprintf(text, sizeof text, "%.2f", n / 100.0);
      if (text[0] == '-' && n == 0) continue;
      Matcher matcher = start;
      const bool found = matcher.accept(text) && matcher.complete();
      ASSERT_EQ(found, test::satisfies(n / 100.0, bounds, bounds)) << text;
    }
    expect_valid(bounds.dump(), 30);
  }
}

TEST(JsonSchema, ConstantsAndAlternatives) {
  const Grammar values = schema(R"({"enum": ["好", "a\"b", 3, null, {"x": [1, 2]}]})");
  test::expect_matches(values, {"\"好\"", R"("a\"b")", "3", "null", R"({"x": [1,2]})"});
  test::expect_no_matches(values, {"\"x\"", "4", "{}"});
  test::expect_matches(schema(R"({"type": "string", "enum": ["a", 1]})"), {"\"a\""});
  test::expect_no_matches(schema(R"({"type": "string", "enum": ["a", 1]})"), {"1"});
  test::expect_matches(schema(R"({"const": false})"), {"false"});
  test::expect_matches(schema(R"({"type": ["string", "null"]})"), {"\"a\"", "null"});
  test::expect_matches(schema(R"({"anyOf": [{"type": "integer"}, {"type": "string"}]})"),
                       {"1", "\"\""});
  const char* shapes = R"({"oneOf": [
      {"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
       "required": ["kind", "r"]},
      {"type": "object", "properties": {"kind": {"const": "line"}}, "required": ["kind"]}]})";
  test::expect_matches(schema(shapes), {R"({"kind": "circle", "r": 1})", R"({"kind": "line"})"});
  test::expect_no_matches(schema(shapes), {R"({"kind": "circle"})", R"({"kind": "x"})"});
  expect_valid(shapes);
  expect_valid(R"({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
                   "anyOf": [{"properties": {"b": {"type": "null"}}, "required": ["b"]},
                             {"properties": {"a": {"minimum": 3}}}]})");
}

TEST(JsonSchema, MergesAllOf) {
  const char* text = R"({"allOf": [
      {"$ref": "#/$defs/named"},
      {"type": "object", "properties": {"age": {"type": "number", "minimum": 0}}, "required": ["age"]},
      {"properties": {"age": {"type": "integer", "maximum": 9}}}],
      "$defs": {"named": {"type": "object", "properties": {"name": {"type": "string"}},
                          "required": ["name"]}}})";
  test::expect_matches(schema(text), {R"({"name": "a", "age": 9})"});
  test::expect_no_matches(schema(text),
                          {R"({"name": "a"})", R"({"age": 9})", R"({"name": "a", "age": 10})",
                           R"({"name": "a", "age": 1.5})"});
  expect_valid(text);
  test::expect_matches(
      schema(R"({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}, {"const": 3}]})"), {"3"});
  test::expect_no_matches(schema(R"({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}]})"),
                          {"1", "4"});
  // One names what the other forbids.
  test::expect_no_matches(schema(R"({"allOf": [{"properties": {"a": true, "b": true}},
      {"properties": {"a": {"type": "null"}}, "additionalProperties": false}]})"),
                          {R"({"b": 1})", R"({"a": 1})"});
  test::expect_refused(
      [] { Matcher(schema(R"({"allOf": [{"type": "string"}, {"type": "null"}]})")); },
      "no text completes");
}

TEST(JsonSchema, ReferencesAndRecursion) {
  const char* tree =
      R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
      "value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
      "required": ["value", "children"], "additionalProperties": false}}})";
  test::expect_matches(
      schema(tree),
      {R"({"value": 1, "children": []})",
       R"({"value":1,"children":[{"value":2,"children":[{"value":3,"children":[]}]}]})"});
  test::expect_no_matches(schema(tree), {R"({"value":1,"children":[{"value":2}]})"});
  expect_valid(tree);
  const char* list = R"({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"},
                         {"type": "null"}]}}, "required": ["next"]})";
  test::expect_matches(schema(list), {R"({"next": {"next": {"next": null}}})"});
  expect_valid(list);
  expect_valid(
      R"({"properties": {"a": {"allOf": [{"$ref": "#/definitions/x"}], "description": "d"}},
                   "required": ["a"], "definitions": {"x": {"type": "boolean"}}})");
}

TEST(JsonSchema, WhatIsNotDoneIsRefusedByName) {
  const auto refused = [](const std::string& text, const std::string& message) {
    SCOPED_TRACE(text);
    test::expect_refused([&] { Matcher(schema(text)); }, message);
  };
  refused("[]", "schema.json#: expected a schema");
  refused(R"({"properties": {"a": {"not": {}}}})",
          "schema.json#/properties/a: keyword \"not\" is not done");
  refused(R"({"type": "string", "minlength": 2})", "did you mean 'minLength'?");
  for (const char* key : {"if", "patternProperties", "propertyNames", "contains",
                          "dependentRequired", "unevaluatedProperties", "nullable"}) {
    refused(concat("{\"type\": \"object\", \"", key, "\": {}}"),
            concat("\"", key, "\" is not done"));
  }
  refused(R"({"type": "array", "uniqueItems": true})", "\"uniqueItems\" is not done");
  refused(R"({"type": "number", "multipleOf": 0.5})", "\"multipleOf\" is not done");
  refused(R"({"type": "number", "minimum": 0.5})", "bounds of numbers that are not whole");
  refused(R"({"type": "integer", "minimum": 1e30})", "bounds beyond 1e18");
  refused(R"({"type": "string", "format": "email"})", "format \"email\" is not done");
  refused(R"({"type": "string", "pattern": "a", "minLength": 2})",
          "\"pattern\" together with lengths is not done");
  refused(R"~({"type": "string", "pattern": "(?=a)"})~", "schema.json#/pattern:1:1: look-around");
  refused(R"({"type": "strnig"})", "unknown type \"strnig\", did you mean 'string'?");
  refused(R"({"type": 3})", "\"type\": expected a type or a list of types");
  refused(R"({"$ref": "other.json#/a"})", "only references within the document");
  refused(R"({"$ref": "#/$defs/a"})", "nothing is at the reference \"#/$defs/a\"");
  refused(R"({"$ref": "#"})", "no text completes");
  refused(R"({"allOf": [{"$ref": "#"}, {"type": "object"}]})", "lead in a circle");
  refused(R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})",
          "a value may satisfy both member 0 and member 1 of \"oneOf\"");
  refused(R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "two different \"pattern\"");
  refused(R"({"enum": [1, 2], "minimum": 2})", "\"minimum\" beside constants is not done");
  refused(R"({"properties": {"a": {}}, "minProperties": 1})", "\"minProperties\"");
  refused(R"({"type": "array", "minItems": 1.5})", "expected a whole number");
  refused(R"({"properties": {"a": {"type": "object", "properties": {"a": {"$ref": "#"}},
              "required": ["a"]}}, "required": ["a"]})",
          "no text completes");
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += R"({"type":"array","items":)";
  refused(deep + "{\"x\": 1}" + std::string(30, '}'), "keyword \"x\"");
}

}  // namespace
}  // namespace llmctl::grammar
