#include "text/truncate.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace llmctl {
namespace {

std::pair<std::size_t, std::size_t> cut(std::size_t first, std::size_t second, std::size_t room,
                                        Truncation how) {
  std::vector<TokenId> a(first), b(second);
  std::iota(a.begin(), a.end(), 0);
  std::iota(b.begin(), b.end(), 0);
  truncate_pair(a, b, room, how);
  for (const auto* part : {&a, &b}) {
    for (std::size_t i = 0; i < part->size(); ++i) EXPECT_EQ((*part)[i], static_cast<TokenId>(i));
  }
  return {a.size(), b.size()};
}

using Sizes = std::pair<std::size_t, std::size_t>;

// The lengths that Hugging Face's tokenizers give.
TEST(Truncate, LongestFirst) {
  const auto both = [](std::size_t a, std::size_t b, std::size_t room) {
    return cut(a, b, room, Truncation::kLongestFirst);
  };
  EXPECT_EQ(both(3, 4, 7), Sizes(3, 4));
  EXPECT_EQ(both(10, 3, 8), Sizes(5, 3));
  EXPECT_EQ(both(3, 10, 8), Sizes(3, 5));
  EXPECT_EQ(both(10, 10, 8), Sizes(4, 4));
  EXPECT_EQ(both(10, 10, 7), Sizes(3, 4));
  EXPECT_EQ(both(12, 10, 7), Sizes(4, 3));
  EXPECT_EQ(both(10, 12, 7), Sizes(3, 4));
  EXPECT_EQ(both(9, 0, 4), Sizes(4, 0));
}

TEST(Truncate, OnlyOneSide) {
  EXPECT_EQ(cut(10, 3, 8, Truncation::kOnlyFirst), Sizes(5, 3));
  EXPECT_EQ(cut(3, 10, 8, Truncation::kOnlySecond), Sizes(3, 5));
  EXPECT_THROW(cut(3, 10, 8, Truncation::kOnlyFirst), Error);
  EXPECT_THROW(cut(8, 10, 8, Truncation::kOnlySecond), Error);
}

TEST(Truncate, Sides) {
  const auto kept = [](std::size_t size, std::size_t room, TruncationSide side) {
    std::vector<TokenId> ids(size);
    std::iota(ids.begin(), ids.end(), 0);
    truncate(ids, room, side);
    return ids;
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(kept(10, 8, TruncationSide::kRight), (Ids{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(kept(10, 8, TruncationSide::kLeft), (Ids{2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(kept(10, 8, TruncationSide::kMiddle), (Ids{0, 1, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(kept(10, 3, TruncationSide::kMiddle), (Ids{7, 8, 9}));
  for (const std::string& name : truncation_side_names()) {
    EXPECT_EQ(truncation_side_name(truncation_side_of(name)), name);
    EXPECT_EQ(kept(3, 3, truncation_side_of(name)), (Ids{0, 1, 2})) << name;
    EXPECT_EQ(kept(3, 0, truncation_side_of(name)), Ids()) << name;
  }
  EXPECT_THROW(truncation_side_of("end"), Error);
}

TEST(Truncate, SidesOfPairs) {
  std::vector<TokenId> first = {0, 1, 2, 3, 4, 5}, second = {10, 11, 12};
  truncate_pair(first, second, 6, Truncation::kLongestFirst, TruncationSide::kLeft);
  EXPECT_EQ(first, (std::vector<TokenId>{3, 4, 5}));
  EXPECT_EQ(second, (std::vector<TokenId>{10, 11, 12}));
}

TEST(Truncate, Names) {
  EXPECT_EQ(truncation_of("longest_first"), Truncation::kLongestFirst);
  EXPECT_EQ(truncation_of("only_first"), Truncation::kOnlyFirst);
  EXPECT_EQ(truncation_of("only_second"), Truncation::kOnlySecond);
  EXPECT_THROW(truncation_of("longest"), Error);
}

}  // namespace
}  // namespace llmctl
