#include "infer/prompt_lookup.h"

#include <gtest/gtest.h>

namespace llmctl::test {
namespace {

std::vector<TokenId> draft(const std::vector<TokenId>& text, std::int64_t ngram,
                           std::int64_t most) {
  std::vector<TokenId> found = {99};
  look_up_draft(text, ngram, most, found);
  return found;
}

TEST(PromptLookup, TakesWhatFollowedTheFirstEarlierPlace) {
  EXPECT_EQ(draft({1, 2, 3, 4, 1, 2, 5, 1, 2}, 2, 3), (std::vector<TokenId>{3, 4, 1}));
  EXPECT_EQ(draft({1, 2, 3, 4, 1, 2}, 2, 10), (std::vector<TokenId>{3, 4, 1, 2}));
}

TEST(PromptLookup, PrefersLongerMatchesAndFallsBackToShorterOnes) {
  EXPECT_EQ(draft({7, 2, 8, 1, 2, 9, 1, 2}, 2, 1), (std::vector<TokenId>{9}));
  EXPECT_EQ(draft({7, 2, 8, 1, 2, 9, 1, 2}, 1, 1), (std::vector<TokenId>{8}));
  EXPECT_EQ(draft({7, 2, 8, 3, 2}, 5, 2), (std::vector<TokenId>{8, 3}));
}

TEST(PromptLookup, MayOverlapTheEndButIsNotTheEnd) {
  EXPECT_EQ(draft({5, 5, 5}, 2, 4), (std::vector<TokenId>{5}));
  EXPECT_TRUE(draft({1, 2, 3}, 2, 4).empty());
  EXPECT_TRUE(draft({1}, 2, 4).empty());
  EXPECT_TRUE(draft({1, 1}, 2, 0).empty());
}

}  // namespace
}  // namespace llmctl::test
