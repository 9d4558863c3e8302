#include "data/batching.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::expect_error;

TEST(RowOrder, EachEpochHasEveryRowOnce) {
  for (const std::uint64_t rows : {1, 2, 7, 64, 1000}) {
    const RowOrder order(rows, {.seed = 5, .batch_size = 3});
    std::map<std::uint64_t, std::vector<std::uint64_t>> seen;  // by epoch
    for (std::int64_t step = 0; step < static_cast<std::int64_t>(rows) + 3; ++step) {
      const auto uses = order.step(step);
      EXPECT_EQ(uses.size(), 3U);
      for (const RowUse& use : uses) seen[use.epoch].push_back(use.row);
    }
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      auto row = seen[epoch];
      ASSERT_EQ(row.size(), rows);
      std::sort(row.begin(), row.end());
      for (std::uint64_t i = 0; i < rows; ++i) ASSERT_EQ(row[i], i);
    }
    if (rows > 7) {
      EXPECT_NE(seen[0], seen[1]);
      EXPECT_FALSE(std::is_sorted(seen[0].begin(), seen[0].end()));
    }
  }
}

TEST(RowOrder, StepsPerEpochAreRoundedUp) {
  EXPECT_EQ(RowOrder(10, {.batch_size = 5}).steps_per_epoch(), 2);
  EXPECT_EQ(RowOrder(11, {.batch_size = 5}).steps_per_epoch(), 3);
  EXPECT_EQ(RowOrder(1, {.batch_size = 5}).steps_per_epoch(), 1);
}

TEST(RowOrder, DependsOnTheSeedAlone) {
  const RowOrder a(100, {.seed = 1, .batch_size = 20}), b(100, {.seed = 2, .batch_size = 20});
  EXPECT_EQ(a.step(7), RowOrder(100, {.seed = 1, .batch_size = 20}).step(7));
  EXPECT_NE(a.step(7), b.step(7));
  // Another batch size deals the same order.
  const auto halves = RowOrder(100, {.seed = 1, .batch_size = 10});
  auto joined = halves.step(14);
  const auto second = halves.step(15);
  joined.insert(joined.end(), second.begin(), second.end());
  EXPECT_EQ(a.step(7), joined);
}

TEST(RowOrder, RanksAndMicroBatchesShareAStep) {
  for (const std::int64_t batch : {8, 12, 13}) {
    const RowOrder whole(1000, {.batch_size = batch});
    for (const std::int64_t micro : {0, 1, 2, 3, 5, 8, 100}) {
      for (const int world : {1, 2, 3, 8}) {
        std::vector<RowUse> gathered;
        std::size_t most = 0, fewest = 1000;
        for (int rank = 0; rank < world; ++rank) {
          const auto batches =
              RowOrder(
                  1000,
                  {.batch_size = batch, .micro_batch_size = micro, .rank = rank, .world = world})
                  .micro_batches(4);
          most = std::max(most, batches.size());
          fewest = std::min(fewest, batches.size());
          for (const auto& uses : batches) {
            EXPECT_GE(uses.size(), 1U);
            EXPECT_LE(uses.size(), static_cast<std::size_t>(micro == 0 ? batch : micro));
            gathered.insert(gathered.end(), uses.begin(), uses.end());
          }
        }
        EXPECT_GE(fewest, 1U);
        EXPECT_LE(most - fewest, 1U);
        auto expected = whole.step(4);
        const auto by_row = [](const RowUse& a, const RowUse& b) { return a.row < b.row; };
        std::sort(expected.begin(), expected.end(), by_row);
        std::sort(gathered.begin(), gathered.end(), by_row);
        EXPECT_EQ(gathered, expected) << batch << ' ' << micro << ' ' << world;
      }
    }
  }
}

TEST(RowOrder, RowsOfLikeLengthShareAMicroBatch) {
  const RowOrder order(1000, {.batch_size = 12, .micro_batch_size = 4});
  const auto length = [](std::uint64_t row) { return static_cast<std::int64_t>(row % 10); };
  std::vector<std::int64_t> lengths;
  for (const auto& uses : order.micro_batches(0, length)) {
    for (const RowUse& use : uses) lengths.push_back(length(use.row));
  }
  EXPECT_EQ(lengths.size(), 12U);
  EXPECT_TRUE(std::is_sorted(lengths.rbegin(), lengths.rend()));
}

TEST(RowOrder, ImpossibleSizesAreRefused) {
  expect_error(ErrorCode::kConfig, {"at least 1", "0"}, [] { RowOrder(5, {.batch_size = 0}); });
  expect_error(ErrorCode::kConfig, {"2 rows", "3 processes"},
               [] { RowOrder(5, {.batch_size = 2, .world = 3}); });
}

TEST(RowOrder, AnotherBatchSizeGoesOnBehindTheRowsThatWereDealt) {
  const RowOrder before(100, {.seed = 1, .batch_size = 20});
  const RowOrder after(100, {.seed = 1, .batch_size = 5, .first_step = 3, .rows_before = 60});
  std::vector<RowUse> dealt;
  for (std::int64_t step = 0; step < 3; ++step)
    for (const RowUse& use : before.step(step)) dealt.push_back(use);
  for (std::int64_t step = 3; step < 19; ++step)
    for (const RowUse& use : after.step(step)) dealt.push_back(use);
  std::vector<RowUse> expected;
  const RowOrder rows(100, {.seed = 1, .batch_size = 1});
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(dealt.size()); ++row)
    expected.push_back(rows.step(row).front());
  EXPECT_EQ(dealt, expected) << "no row twice, none left out";
}

}  // namespace
}  // namespace llmctl
