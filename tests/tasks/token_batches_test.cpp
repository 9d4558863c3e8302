#include "tasks/token_batches.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "base/random.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

std::vector<std::int64_t> all_of(std::size_t count) {
  std::vector<std::int64_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// Lengths of sentences and of translations that are about as long.
RowLengths sentences(std::size_t count) {
  Random random(random_key(3, "sentences"));
  RowLengths lengths({}, {});
  for (std::size_t i = 0; i < count; ++i) {
    const double length = 14 + 5 * random.normal();
    lengths.first.push_back(std::max(1, static_cast<int>(length)));
    lengths.second.push_back(std::max(1, static_cast<int>(length + 2 * random.normal())));
  }
  return lengths;
}

TEST(TokenBatches, EveryEpochHasEachRowOnceInAsManyBatches) {
  const RowLengths lengths = sentences(3000);
  const TokenBatches batches(all_of(3000), lengths, 500, 1);
  const std::int64_t steps = batches.steps_per_epoch();
  for (std::int64_t epoch : {0, 1, 7}) {
    std::multiset<std::int64_t> seen;
    for (std::int64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
      const auto rows = batches.rows(step);
      EXPECT_FALSE(rows.empty());
      seen.insert(rows.begin(), rows.end());
    }
    const auto all = all_of(3000);
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), all.begin(), all.end())) << epoch;
  }
}

TEST(TokenBatches, FillsTheTokensWithLittlePadding) {
  const RowLengths lengths = sentences(20000);
  const TokenBatches batches(all_of(20000), lengths, 2000, 1);
  const std::int64_t steps = batches.steps_per_epoch();
  std::int64_t padded_first = 0, padded_second = 0, above = 0;
  for (std::int64_t step = 0; step < 3 * steps; ++step) {
    std::int64_t first = 0, second = 0, count = 0;
    for (const std::int64_t row : batches.rows(step)) {
      const auto i = static_cast<std::size_t>(row);
      first = std::max<std::int64_t>(first, lengths.first[i]);
      second = std::max<std::int64_t>(second, lengths.second[i]);
      ++count;
    }
    const std::int64_t tokens = count * std::max(first, second);
    if (step < steps) EXPECT_LE(tokens, 2000);
    above = std::max(above, tokens);
    padded_first += count * first;
    padded_second += count * second;
  }
  EXPECT_LE(above, 2000 * 1.1);
  const auto sum = [](const std::vector<std::int32_t>& values) {
    return 3.0 *
           static_cast<double>(std::accumulate(values.begin(), values.end(), std::int64_t{0}));
  };
  EXPECT_LT(static_cast<double>(padded_first), 1.1 * sum(lengths.first));
  EXPECT_LT(static_cast<double>(padded_second), 1.15 * sum(lengths.second));
}

TEST(TokenBatches, RowsMeetOthersInEachEpochAndStepsAreAFunctionOfTheSeed) {
  const RowLengths lengths = sentences(2000);
  const TokenBatches one(all_of(2000), lengths, 600, 5), same(all_of(2000), lengths, 600, 5),
      other(all_of(2000), lengths, 600, 6);
  const std::int64_t steps = one.steps_per_epoch();
  EXPECT_EQ(one.rows(3 * steps + 2), same.rows(3 * steps + 2)) << "in whatever order it is asked";
  EXPECT_EQ(one.rows(4), same.rows(4));
  EXPECT_NE(one.rows(4), other.rows(4));
  // Who shares a batch with row 0.
  const auto neighbours = [&](std::int64_t epoch) {
    for (std::int64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
      const auto rows = one.rows(step);
      if (std::find(rows.begin(), rows.end(), 0) != rows.end())
        return std::set<std::int64_t>(rows.begin(), rows.end());
    }
    return std::set<std::int64_t>();
  };
  EXPECT_NE(neighbours(0), neighbours(1));
}

TEST(TokenBatches, OneSequenceAndRowsThatWeighMore) {
  std::vector<std::int64_t> rows = {0, 1, 1, 1, 2};
  const TokenBatches batches(rows, std::vector<std::int32_t>{4, 9, 2}, 18, 1);
  std::map<std::int64_t, int> seen;
  for (std::int64_t step = 0; step < batches.steps_per_epoch(); ++step) {
    for (const std::int64_t row : batches.rows(step)) ++seen[row];
  }
  EXPECT_EQ(seen, (std::map<std::int64_t, int>{{0, 1}, {1, 3}, {2, 1}}));
  EXPECT_EQ(batches.steps_per_epoch(), 3) << "9 and 9, 9 and 4, 2";
}

TEST(TokenBatches, RefusesARowThatNoBatchHolds) {
  test::expect_error(ErrorCode::kConfig, {"train.batch_tokens", "8", "9"}, [] {
    TokenBatches(all_of(2), std::vector<std::int32_t>{4, 9}, 8, 1);
  });
}

}  // namespace
}  // namespace llmctl
