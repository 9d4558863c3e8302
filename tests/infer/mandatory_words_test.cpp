#include "infer/mandatory_words.h"

#include <gtest/gtest.h>

namespace llmctl::test {
namespace {

MandatoryWords::State after(const MandatoryWords& words, const std::vector<TokenId>& answer) {
  MandatoryWords::State state = words.begin();
  for (std::size_t size = 1; size <= answer.size(); ++size) {
    words.accept(std::span(answer).first(size), state);
  }
  return state;
}

TEST(MandatoryWords, CountsWhatIsMissing) {
  const MandatoryWords words({{{1, 2, 3}}, {{4, 5}, {6, 7, 8}}});
  EXPECT_EQ(words.begin().missing, 5);
  EXPECT_EQ(after(words, {9}).missing, 5);
  EXPECT_EQ(after(words, {1}).missing, 4);
  EXPECT_EQ(after(words, {1, 2}).missing, 3);
  EXPECT_EQ(after(words, {1, 2, 9}).missing, 5);
  EXPECT_EQ(after(words, {1, 2, 3}).missing, 2);
  EXPECT_EQ(after(words, {1, 2, 3, 6, 7}).missing, 1);
  EXPECT_EQ(after(words, {6, 7, 8}).missing, 3);
  EXPECT_EQ(after(words, {4, 5, 1, 2, 3, 9}).missing, 0);
  EXPECT_EQ(after(words, {4, 5, 1, 2, 3}).met, (std::vector<char>{1, 1}));
}

TEST(MandatoryWords, KnowsWhatBringsThemOn) {
  const MandatoryWords words({{{1, 2, 3}}, {{4, 5}, {6}}});
  const auto next = [&](const std::vector<TokenId>& answer) {
    std::vector<TokenId> ids;
    words.next(answer, after(words, answer), ids);
    return ids;
  };
  EXPECT_EQ(next({}), (std::vector<TokenId>{1, 4, 6}));
  EXPECT_EQ(next({9, 1, 2}), (std::vector<TokenId>{1, 3, 4, 6}));
  EXPECT_EQ(next({6, 1, 1}), (std::vector<TokenId>{1, 2}));
  EXPECT_TRUE(next({6, 1, 2, 3}).empty());
}

}  // namespace
}  // namespace llmctl::test
