#include "tasks/word_noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "support/temp_dir.h"
#include "text/tokenizer.h"

namespace llmctl {
namespace {

using Ids = std::vector<TokenId>;

class WordNoiseTest : public testing::Test {
 protected:
  /// [CLS] the small houses [SEP] 小 路 [SEP]: "houses" has two tokens.
  WordNoiseTest() {
    write_file(directory_ / "vocab.txt",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nsmall\nhouse\n##s\n\u5c0f\n\u8def\n");
    write_file(directory_ / "tokenizer_config.json",
               R"({"tokenizer_class": "BertTokenizer", "mask_token": "[MASK]"})");
    tokenizer_ = load_tokenizer(directory_.path());
    row_ = {ids({"[CLS]", "the", "small", "house", "##s", "[SEP]", "\u5c0f", "\u8def", "[SEP]"}),
            {0, 0, 0, 0, 0, 0, 1, 1, 1}};
  }
  Ids ids(const std::vector<std::string>& pieces) const {
    Ids ids;
    for (const std::string& piece : pieces) ids.push_back(tokenizer_->find(piece).value());
    return ids;
  }
  NoisyRow noisy(WordNoiseKind kind, double share, std::uint64_t seed) const {
    return with_word_noise(row_, {kind, share}, *tokenizer_, Random(random_key(seed, "test")));
  }

  const test::TempDir directory_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  NoisyRow row_;
};

TEST_F(WordNoiseTest, MasksWholeWords) {
  const TokenId mask = *tokenizer_->special().mask;
  std::set<std::vector<bool>> seen;
  int masked = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const NoisyRow noisy = this->noisy(WordNoiseKind::kMask, 0.3, seed);
    ASSERT_EQ(noisy.ids.size(), row_.ids.size());
    EXPECT_EQ(noisy.types, row_.types);
    std::vector<bool> places;
    for (std::size_t i = 0; i < row_.ids.size(); ++i) {
      if (noisy.ids[i] != row_.ids[i]) EXPECT_EQ(noisy.ids[i], mask);
      places.push_back(noisy.ids[i] == mask);
    }
    EXPECT_EQ(places[3], places[4]) << "tokens of one word";
    EXPECT_FALSE(places[0] || places[5] || places[8]) << "special tokens";
    for (const std::size_t word : {1, 2, 3, 6, 7}) masked += places[word];
    seen.insert(places);
  }
  EXPECT_NEAR(masked / 20000.0, 0.3, 0.01);
  EXPECT_EQ(seen.size(), 32u) << "each word by itself";
}

TEST_F(WordNoiseTest, DropsWordsButNotAll) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const NoisyRow noisy = this->noisy(WordNoiseKind::kDrop, 0.9, seed);
    EXPECT_EQ(noisy.ids.size(), noisy.types.size());
    EXPECT_GT(noisy.ids.size(), 3u) << "a word is left";
    // What is left stands in its order, with its type.
    std::size_t at = 0;
    for (std::size_t i = 0; i < noisy.ids.size(); ++i, ++at) {
      while (at < row_.ids.size() && row_.ids[at] != noisy.ids[i]) ++at;
      ASSERT_LT(at, row_.ids.size());
      EXPECT_EQ(noisy.types[i], row_.types[at]);
    }
    const auto has = [&](std::size_t i) {
      return std::find(noisy.ids.begin(), noisy.ids.end(), row_.ids[i]) != noisy.ids.end();
    };
    EXPECT_EQ(has(3), has(4)) << "tokens of one word";
  }
}

TEST_F(WordNoiseTest, SwapsNeighboursWithinAPart) {
  const NoisyRow all = noisy(WordNoiseKind::kSwap, 1, 1);
  EXPECT_EQ(all.ids,
            ids({"[CLS]", "small", "the", "house", "##s", "[SEP]", "\u8def", "\u5c0f", "[SEP]"}));
  EXPECT_EQ(all.types, row_.types);
  std::set<Ids> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const NoisyRow some = noisy(WordNoiseKind::kSwap, 0.4, seed);
    EXPECT_TRUE(
        std::is_permutation(some.ids.begin(), some.ids.end(), row_.ids.begin(), row_.ids.end()));
    seen.insert(some.ids);
  }
  EXPECT_TRUE(seen.contains(
      ids({"[CLS]", "the", "house", "##s", "small", "[SEP]", "\u5c0f", "\u8def", "[SEP]"})));
  EXPECT_TRUE(seen.contains(row_.ids));
}

TEST_F(WordNoiseTest, IsAFunctionOfTheKey) {
  for (const WordNoiseKind kind :
       {WordNoiseKind::kMask, WordNoiseKind::kDrop, WordNoiseKind::kSwap}) {
    EXPECT_EQ(noisy(kind, 0.5, 7).ids, noisy(kind, 0.5, 7).ids);
    EXPECT_EQ(noisy(kind, 0, 7).ids, row_.ids);
  }
}

}  // namespace
}  // namespace llmctl
