#include "infer/top_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace llmctl::test {
namespace {

std::vector<float> numbers(std::size_t n, std::uint64_t stream) {
  Random random(random_key(1, "test", stream));
  std::vector<float> x(n);
  // Coarse, so that there are ties.
  for (float& value : x) value = static_cast<float>(std::round(8 * random.normal()) / 4);
  x[n / 2] = -std::numeric_limits<float>::infinity();
  return x;
}

TEST(TopCandidates, AreThoseOfAFullSort) {
  const std::vector<TokenId> forbidden = {3, 500};
  for (const std::size_t n : {7, 1024, 3000}) {
    std::vector<Continuation> all;
    TopCandidates top;
    top.reset(20);
    for (std::size_t row = 0; row < 4; ++row) {
      const std::vector<float> x = numbers(n, row);
      const RowScores scores = {x, -1.25, forbidden};
      const double so_far = -0.3 * static_cast<double>(row);
      top.add(row, scores, so_far);
      for (TokenId id = 0; id < static_cast<TokenId>(n); ++id) {
        if (scores.possible(id)) all.push_back({scores.of(id) + so_far, row, id});
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const Continuation& a, const Continuation& b) {
      return a.score > b.score;
    });
    const std::vector<Continuation>& best = top.sorted();
    ASSERT_EQ(best.size(), 20u);
    for (std::size_t i = 0; i < best.size(); ++i) {
      EXPECT_EQ(best[i].score, all[i].score) << i;
      EXPECT_EQ(best[i].row, all[i].row) << i;
      EXPECT_EQ(best[i].id, all[i].id) << i;
    }
  }
}

TEST(TopCandidates, AreDrawnAsTheScoresSay) {
  const std::vector<float> x = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::map<TokenId, int> firsts;
  std::map<std::pair<TokenId, TokenId>, int> pairs;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    TopCandidates top;
    top.reset(2);
    top.add_drawn(0, {x}, -1, random_key(2, "test", static_cast<std::uint64_t>(i)));
    std::vector<Continuation> drawn = top.sorted();
    ASSERT_EQ(drawn.size(), 2u);
    EXPECT_GE(drawn[0].score, drawn[1].score);
    const bool in_order = drawn[0].rank > drawn[1].rank;
    const TokenId first = in_order ? drawn[0].id : drawn[1].id;
    ++firsts[first];
    ++pairs[{first, in_order ? drawn[1].id : drawn[0].id}];
  }
  double chi_square = 0;
  const std::vector<double> p = {0.5, 0.3, 0.2};
  for (TokenId a = 0; a < 3; ++a) {
    for (TokenId b = 0; b < 3; ++b) {
      if (a == b) continue;
      const double pa = p[static_cast<std::size_t>(a)], pb = p[static_cast<std::size_t>(b)];
      const double mean = kDraws * pa * pb / (1 - pa);
      chi_square += (pairs[{a, b}] - mean) * (pairs[{a, b}] - mean) / mean;
    }
  }
  EXPECT_LT(chi_square, 20.5);  // 5 degrees of freedom: one seed in a thousand is beyond
}

}  // namespace
}  // namespace llmctl::test
