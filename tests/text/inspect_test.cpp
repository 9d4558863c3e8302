#include "text/inspect.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "text/model_builder.h"
#include "text/sentencepiece_tokenizer.h"

namespace llmctl {
namespace {

TEST(TokenizerInspector, Counts) {
  const SentencePieceTokenizer tokenizer(test::ModelBuilder()
                                             .specials()
                                             .kind(SentencePieceModel::Kind::kBpe)
                                             .plain()
                                             .bytes()
                                             .piece("ab", -1)
                                             .piece("a", -2)
                                             .piece("b", -3)
                                             .piece("我", -4)
                                             .build(),
                                         "x");
  TokenizerInspector inspector(tokenizer);
  inspector.add("abab我");
  inspector.add("aé");
  inspector.add("");
  const TokenizerReport report = inspector.report(2);
  EXPECT_EQ(report.texts, 3u);
  EXPECT_EQ(report.bytes, 10u);
  EXPECT_EQ(report.characters, 7u);
  EXPECT_EQ(report.tokens, 6u);
  EXPECT_EQ(report.unknown, 0u);
  EXPECT_EQ(report.byte_tokens, 2u);
  EXPECT_EQ(report.distinct, 5u);
  EXPECT_THAT(report.longest, testing::ElementsAre("ab", "a"));
  EXPECT_DOUBLE_EQ(report.bytes_per_token(), 10.0 / 6);
  EXPECT_DOUBLE_EQ(report.characters_per_token(), 7.0 / 6);
  EXPECT_DOUBLE_EQ(report.byte_rate(), 2.0 / 6);
  const Json json = report.to_json();
  EXPECT_EQ(json["tokens"], 6);
  EXPECT_EQ(json["longest_pieces"][0], "ab");
  EXPECT_THROW(inspector.add("\xFF"), Error);
}

TEST(TokenizerInspector, OddPiecesHaveReasons) {
  for (const char* plain : {"ab", " the", "我们", "ing", "123", "...", "    ", "\n\n\n\n\n", "été",
                            "\t", "の人", "---", ""}) {
    EXPECT_EQ(oddity_of(plain), "") << plain;
  }
  EXPECT_EQ(oddity_of("\xE6\x88"), "part of a character");
  EXPECT_EQ(oddity_of("a\u200B"), "invisible characters");
  EXPECT_EQ(oddity_of("\uFFFD"), "invisible characters");
  EXPECT_EQ(oddity_of(std::string(1, '\x01')), "invisible characters");
  EXPECT_EQ(oddity_of("a1"), "letters and digits");
  EXPECT_EQ(oddity_of("2年"), "letters and digits");
  EXPECT_EQ(oddity_of("A股"), "several scripts");
  EXPECT_EQ(oddity_of("----"), "one character repeated");
}

TEST(TokenizerInspector, OddPiecesAreCounted) {
  const SentencePieceTokenizer tokenizer(test::ModelBuilder()
                                             .specials()
                                             .kind(SentencePieceModel::Kind::kBpe)
                                             .plain()
                                             .piece("a1", -1)
                                             .piece("A股", -2)
                                             .piece("a", -3)
                                             .piece("1", -4)
                                             .piece("A", -5)
                                             .piece("股", -6)
                                             .build(),
                                         "x");
  TokenizerInspector inspector(tokenizer);
  inspector.add("A股a1A股a");
  const TokenizerReport report = inspector.report(1);
  EXPECT_EQ(report.odd, 2u);
  ASSERT_EQ(report.odd_pieces.size(), 1u);
  EXPECT_EQ(report.odd_pieces[0].piece, "A股");
  EXPECT_EQ(report.odd_pieces[0].uses, 2u);
  const Json odd = report.to_json()["odd_pieces"];
  EXPECT_EQ(odd, Json::parse(R"([{"piece": "A股", "why": "several scripts", "uses": 2}])"));
}

TEST(TokenizerInspector, LongestPiecesAreOfTheTextsOwnScript) {
  const SentencePieceTokenizer tokenizer(test::ModelBuilder()
                                             .specials()
                                             .kind(SentencePieceModel::Kind::kUnigram)
                                             .plain()
                                             .piece("report", -1)
                                             .piece("中国", -1)
                                             .piece("人", -1)
                                             .build(),
                                         "x");
  TokenizerInspector chinese(tokenizer), english(tokenizer);
  chinese.add("中国人中国人中国人report");
  EXPECT_THAT(chinese.report().longest, testing::ElementsAre("中国", "人"));
  english.add("reportreport人");
  EXPECT_THAT(english.report().longest, testing::ElementsAre("report"));
}

TEST(TokenizerInspector, UnknownPiecesAndNothing) {
  const SentencePieceTokenizer tokenizer(test::ModelBuilder()
                                             .specials()
                                             .kind(SentencePieceModel::Kind::kBpe)
                                             .plain()
                                             .piece("a", -1)
                                             .build(),
                                         "x");
  TokenizerInspector inspector(tokenizer);
  EXPECT_EQ(inspector.report().bytes_per_token(), 0);
  inspector.add("axya");
  EXPECT_EQ(inspector.report().unknown, 1u);
  EXPECT_DOUBLE_EQ(inspector.report().unknown_rate(), 1.0 / 3);
}

}  // namespace
}  // namespace llmctl
