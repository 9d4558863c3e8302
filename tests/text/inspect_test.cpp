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
