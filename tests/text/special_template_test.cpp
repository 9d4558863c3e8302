#include "text/special_template.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace llmctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TokenId> kA = {10, 11}, kB = {20};

std::vector<TokenId> types_of(const SpecialTemplate& layout, const std::vector<TokenId>* b) {
  std::vector<TokenId> types = {7, 7, 7};
  const auto ids = layout.apply(kA, b, &types);
  EXPECT_EQ(ids.size(), types.size());
  return types;
}

TEST(SpecialTemplate, LayoutsByTheTokensThereAre) {
  SpecialTokens bert;
  bert.cls = 2;
  bert.sep = 3;
  bert.bos = 1;
  const SpecialTemplate masked = SpecialTemplate::for_tokens(bert);
  EXPECT_THAT(masked.apply(kA, nullptr, nullptr), ElementsAre(2, 10, 11, 3));
  EXPECT_THAT(masked.apply(kA, &kB, nullptr), ElementsAre(2, 10, 11, 3, 20, 3));
  EXPECT_THAT(types_of(masked, nullptr), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(types_of(masked, &kB), ElementsAre(0, 0, 0, 0, 1, 1));

  SpecialTokens llama;
  llama.bos = 1;
  llama.eos = 2;
  const SpecialTemplate causal = SpecialTemplate::for_tokens(llama);
  EXPECT_THAT(causal.apply(kA, nullptr, nullptr), ElementsAre(1, 10, 11));
  EXPECT_THAT(causal.apply(kA, &kB, nullptr), ElementsAre(1, 10, 11, 20));
  EXPECT_THAT(types_of(causal, &kB), ElementsAre(0, 0, 0, 1));

  SpecialTokens t5;
  t5.eos = 1;
  const SpecialTemplate ended = SpecialTemplate::for_tokens(t5);
  EXPECT_THAT(ended.apply(kA, nullptr, nullptr), ElementsAre(10, 11, 1));
  EXPECT_THAT(ended.apply(kA, &kB, nullptr), ElementsAre(10, 11, 1, 20, 1));

  const SpecialTemplate none = SpecialTemplate::for_tokens({});
  EXPECT_THAT(none.apply(kA, nullptr, nullptr), ElementsAre(10, 11));
  EXPECT_THAT(none.apply(kA, &kB, nullptr), ElementsAre(10, 11, 20));
  EXPECT_THAT(SpecialTemplate::around(1, 2).apply(kA, &kB, nullptr), ElementsAre(1, 10, 11, 20, 2));
}

std::string name_of(TokenId id) {
  return "<" + std::to_string(id) + ">";
}
std::optional<TokenId> id_of(std::string_view name) {
  if (name == "<1>") return 1;
  if (name == "<2>") return 2;
  return std::nullopt;
}

TEST(SpecialTemplate, JsonBothWays) {
  const SpecialTemplate layout = SpecialTemplate::around(1, 2);
  const Json json = layout.to_json(name_of);
  EXPECT_EQ(json["type"], "TemplateProcessing");
  EXPECT_EQ(json["single"][0], parse_json(R"({"SpecialToken": {"id": "<1>", "type_id": 0}})", ""));
  EXPECT_EQ(json["single"][1], parse_json(R"({"Sequence": {"id": "A", "type_id": 0}})", ""));
  EXPECT_EQ(json["pair"][2], parse_json(R"({"Sequence": {"id": "B", "type_id": 1}})", ""));
  EXPECT_EQ(json["special_tokens"]["<2>"],
            parse_json(R"({"id": "<2>", "ids": [2], "tokens": ["<2>"]})", ""));
  const SpecialTemplate again = SpecialTemplate::from_json(json, id_of, "x");
  EXPECT_EQ(again.single, layout.single);
  EXPECT_EQ(again.pair, layout.pair);
  EXPECT_THAT(SpecialTemplate::from_json(nullptr, id_of, "x").apply(kA, nullptr, nullptr),
              ElementsAre(10, 11));
}

TEST(SpecialTemplate, JsonErrors) {
  const auto refusal = [](const char* text) -> std::string {
    try {
      SpecialTemplate::from_json(parse_json(text, ""), id_of, "file: post_processor");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_THAT(error.what(), testing::StartsWith("file: post_processor"));
      return error.what();
    }
    ADD_FAILURE() << "accepted " << text;
    return "";
  };
  EXPECT_THAT(refusal("3"), HasSubstr("missing \"type\""));
  EXPECT_THAT(refusal(R"({"type": 3})"), HasSubstr(".type: expected a string"));
  EXPECT_THAT(refusal(R"({"type": "Other"})"),
              HasSubstr("post-processor \"Other\" is not supported"));
  EXPECT_THAT(refusal(R"({"type": "TemplateProcessing"})"), HasSubstr("missing \"single\""));
  EXPECT_THAT(refusal(R"({"type": "TemplateProcessing", "single": 3, "pair": []})"),
              HasSubstr(".single: expected a list"));
  const auto single = [&](const std::string& item) {
    return refusal(
        (R"({"type": "TemplateProcessing", "pair": [], "single": [)" + item + "]}").c_str());
  };
  EXPECT_THAT(single("3"), HasSubstr(".single[0]: missing \"Sequence\""));
  EXPECT_THAT(single(R"({"Sequence": {"id": "C", "type_id": 0}})"), HasSubstr("sequence \"C\""));
  EXPECT_THAT(single(R"({"Sequence": {"id": "A"}})"), HasSubstr("missing \"type_id\""));
  EXPECT_THAT(single(R"({"Sequence": {"id": "A", "type_id": 2}})"), HasSubstr("expected 0 or 1"));
  EXPECT_THAT(single(R"({"SpecialToken": {"id": "<9>", "type_id": 0}})"),
              HasSubstr("\"<9>\" is not in the vocabulary"));
}

}  // namespace
}  // namespace llmctl
