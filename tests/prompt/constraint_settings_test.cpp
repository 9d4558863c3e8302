#include "prompt/constraint_settings.h"

#include <gtest/gtest.h>

#include "prompt/generate.h"
#include "prompt/generation_settings.h"
#include "scripted_model.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

GenerationSettings resolve(const std::string& own) {
  return resolve_generation(GenerationSources{{}, Json::object(), false, {}}, Json::parse(own));
}

void expect_refused(const std::string& own, const std::string& message,
                    ErrorCode code = ErrorCode::kConfig) {
  expect_error(code, std::vector<std::string>{message}, [&] { resolve(own); });
}

TEST(ConstraintSettings, AreReadFromKeysAndFiles) {
  EXPECT_FALSE(resolve("{}").constraint);
  EXPECT_EQ(resolve(R"({"choices": ["a", "b"]})").constraint->choices.size(), 2u);
  EXPECT_EQ(resolve(R"({"regex": "a+", "finish_in_time": true})").constraint->finish_in_time, true);
  EXPECT_EQ(resolve(R"({"json_schema": {}})").constraint->json_schema, Json::object());
  EXPECT_EQ(resolve(R"({"json_schema": {"type": "null"}, "json_space": 0})").constraint->json_space,
            0);
  const TempDir dir;
  const std::string grammar = dir.write("g.gbnf", "root ::= \"x\"\n").string();
  const std::string schema = dir.write("s.json", R"({"type": "integer"})").string();
  const GenerationSettings by_file = resolve("{\"grammar\": \"@" + grammar + "\"}");
  EXPECT_EQ(by_file.constraint->grammar, "root ::= \"x\"\n");
  EXPECT_EQ(by_file.keys["grammar"], "root ::= \"x\"\n");  // another file is another run
  EXPECT_EQ(resolve("{\"json_schema\": \"@" + schema + "\"}").keys["json_schema"]["type"],
            "integer");
}

TEST(ConstraintSettings, FaultsAreRefused) {
  expect_refused(R"({"choices": ["a"], "regex": "a"})",
                 "generation.regex: stands beside choices, give one");
  expect_refused(R"({"prefix": "a", "regex": "a"})", "together with regex is not done");
  expect_refused(R"({"regex": "(a"})", "generation.regex: regex:1:1: this group has no )");
  expect_refused(R"({"grammar": "root = a"})", "generation.grammar: grammar:1:6: expected ::=");
  expect_refused(R"({"json_schema": {"not": {}}})", "keyword \"not\" is not done");
  expect_refused(R"({"json_schema": "schema.json"})", "expected a schema (an object) or \"@FILE\"");
  expect_refused(R"({"finish_in_time": true})", "plays a part only with one of choices");
  expect_refused(R"({"grammar": "@/nowhere/g.gbnf"})", "/nowhere/g.gbnf", ErrorCode::kMissing);
  const TempDir dir;
  const std::string grammar = dir.write("g.gbnf", "root ::= x").string();
  expect_refused("{\"grammar\": \"@" + grammar + "\"}",
                 grammar + ":1:10: rule \"x\" is not defined", ErrorCode::kData);
}

TEST(ConstraintSettings, APromptsOwnReplacesTheCommands) {
  const Json merged = with_own_members({{"regex", "a"}, {"seed", 1}}, {{"choices", {"x"}}});
  EXPECT_EQ(merged, Json::parse(R"({"seed": 1, "choices": ["x"]})"));
}

TEST(ConstraintSettings, TextsFollowThem) {
  ScriptedModel model;
  model.script("abcdef");
  const std::shared_ptr<const Tokenizer> tokenizer = std::make_shared<ByteTokenizer>();
  const auto text = [&](const std::string& own) {
    GenerationSettings settings = resolve(own);
    settings.add_eos(257);
    settings.constrain(tokenizer);
    return generate_texts(model, tokenizer, std::vector<std::string>{"ab"}, settings,
                          Context())[0][0];
  };
  EXPECT_EQ(text("{}").text, "cdef");
  EXPECT_EQ(text(R"({"regex": "cd"})").text, "cd");
  EXPECT_EQ(text(R"({"choices": ["cde", "xyz"]})").text, "cde");
  EXPECT_EQ(text(R"({"choices": ["cde", "xyz"]})").finish_reason, "stop");
  EXPECT_EQ(text(R"({"regex": "c{9}", "max_new_tokens": 3})").text, "ccc");
  EXPECT_EQ(text(R"({"regex": "c{9}", "max_new_tokens": 3})").finish_reason, "length");
  EXPECT_EQ(text(R"({"regex": "c+|e", "max_new_tokens": 1})").finish_reason, "length");
  const std::string json = text(R"({"json_schema": {"type": "array", "items": {"type": "integer"},
                                    "minItems": 2, "maxItems": 2}, "finish_in_time": true})")
                               .text;
  EXPECT_EQ(Json::parse(json).size(), 2u) << json;
  // Without a token that ends a text there is no constrained one.
  GenerationSettings endless = resolve(R"({"regex": "a"})");
  expect_error(ErrorCode::kData, std::vector<std::string>{"needs a token that ends it"},
               [&] { endless.constrain(tokenizer); });
}

}  // namespace
}  // namespace llmctl::test
