#include "tasks/bucketed_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/random.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;

std::vector<std::int32_t> random_lengths(std::size_t rows) {
  Random random(random_key(5, "lengths"));
  std::vector<std::int32_t> lengths(rows);
  for (std::int32_t& length : lengths) length = 1 + static_cast<std::int32_t>(random.below(100));
  return lengths;
}

BucketedSource make_source(std::size_t rows, const Batching& batching) {
  std::vector<std::int64_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  return {order,
          random_lengths(rows),
          batching,
          [](std::span<const std::int64_t> chosen, std::int64_t) {
            std::vector<TokenRow> out;
            for (std::int64_t row : chosen) out.push_back({{row}});
            return collate(out, 0);
          },
          {"print", "print"}};
}

std::vector<std::int64_t> rows_of(const BucketedSource& source, std::int64_t step) {
  std::vector<std::int64_t> all;
  for (const auto& rows : source.micro_batches(step))
    all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

TEST(BucketedSource, EachRowOnceInAWindowThatDividesTheEpoch) {
  const Batching batching{7, 10, 4, 0, 1};
  const BucketedSource source = make_source(200, batching);
  EXPECT_EQ(source.steps_per_epoch(), 20);
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    std::set<std::int64_t> seen;
    for (std::int64_t step = 0; step < 20; ++step) {
      for (std::int64_t row : rows_of(source, epoch * 20 + step))
        EXPECT_TRUE(seen.insert(row).second);
    }
    EXPECT_EQ(seen.size(), 200u);
  }
}

TEST(BucketedSource, EpochsFollowEachOtherWithoutAGap) {
  const Batching batching{7, 8, 8, 0, 1};
  const BucketedSource source = make_source(100, batching);
  EXPECT_EQ(source.steps_per_epoch(), 13);
  std::map<std::int64_t, int> seen;
  // 100 steps of 8 are 8 epochs of 100 rows; windows of 12 steps end at step 96.
  for (std::int64_t step = 0; step < 96; ++step) {
    EXPECT_EQ(rows_of(source, step).size(), 8u);
    for (std::int64_t row : rows_of(source, step)) ++seen[row];
  }
  for (const auto& [row, times] : seen) EXPECT_TRUE(times >= 7 && times <= 8) << times;
  EXPECT_EQ(seen.size(), 100u);
}

TEST(BucketedSource, RowsOfABatchHaveSimilarLengths) {
  const BucketedSource source = make_source(2000, {7, 20, 20, 0, 1});
  const auto lengths = random_lengths(2000);
  double spread = 0;
  std::set<std::int64_t> longest;
  for (std::int64_t step = 0; step < 100; ++step) {
    std::int32_t least = 1000, most = 0;
    for (std::int64_t row : rows_of(source, step)) {
      least = std::min(least, lengths[static_cast<std::size_t>(row)]);
      most = std::max(most, lengths[static_cast<std::size_t>(row)]);
    }
    spread += most - least;
    longest.insert(most / 10);
  }
  EXPECT_LT(spread / 100, 8) << "unsorted batches spread over about 90";
  EXPECT_GT(longest.size(), 8u);
  // Not from long to short: the first ten steps hold short and long batches.
  std::set<bool> first;
  for (std::int64_t step = 0; step < 10; ++step) {
    first.insert(lengths[static_cast<std::size_t>(rows_of(source, step).front())] > 50);
  }
  EXPECT_EQ(first.size(), 2u);
}

TEST(BucketedSource, DependsOnSeedAndStepAlone) {
  const BucketedSource source = make_source(333, {7, 16, 4, 0, 1}),
                       same = make_source(333, {7, 16, 4, 0, 1});
  const BucketedSource other = make_source(333, {8, 16, 4, 0, 1});
  EXPECT_EQ(source.micro_batches(57), same.micro_batches(57));
  EXPECT_EQ(source.micro_batches(3), same.micro_batches(3)) << "any order of asking";
  EXPECT_NE(source.micro_batches(3), other.micro_batches(3));
  EXPECT_NE(rows_of(source, 0), rows_of(source, 21)) << "epochs differ";
  const auto batches = source.batches(2);
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches[0].input.ids.size(0), 4);
  EXPECT_EQ(batches[1].input.ids[0][0].item<std::int64_t>(), source.micro_batches(2)[1][0]);
}

TEST(BucketedSource, MicroBatchesAndRanksShareTheSameRows) {
  const auto sorted = [](std::vector<std::int64_t> rows) {
    std::sort(rows.begin(), rows.end());
    return rows;
  };
  const BucketedSource whole = make_source(150, {7, 24, 24, 0, 1}),
                       cut = make_source(150, {7, 24, 5, 0, 1});
  for (std::int64_t step : {0, 3, 40}) {
    EXPECT_EQ(sorted(rows_of(whole, step)), sorted(rows_of(cut, step)));
    std::vector<std::int64_t> together;
    for (int rank = 0; rank < 3; ++rank) {
      const auto share = rows_of(make_source(150, {7, 24, 4, rank, 3}), step);
      EXPECT_EQ(share.size(), 8u);
      together.insert(together.end(), share.begin(), share.end());
    }
    EXPECT_EQ(sorted(together), sorted(rows_of(whole, step)));
  }
}

TEST(BucketedSource, StepsOfTokensAreSharedByMicroBatchesAndRanks) {
  Batching batching{.seed = 7, .batch_tokens = 900};
  const BucketedSource whole = make_source(400, batching);
  const auto lengths = random_lengths(400);
  batching.micro_batch_tokens = 300;
  const BucketedSource cut = make_source(400, batching);
  std::set<std::int64_t> seen;
  std::size_t most = 0;
  for (std::int64_t step = 0; step < whole.steps_per_epoch(); ++step) {
    const auto rows = rows_of(whole, step);
    EXPECT_EQ(whole.micro_batches(step).size(), 1u);
    EXPECT_EQ(rows, rows_of(cut, step));
    most = std::max(most, cut.micro_batches(step).size());
    std::int64_t longest = 0;
    for (const std::int64_t row : rows)
      longest = std::max<std::int64_t>(longest, lengths[static_cast<std::size_t>(row)]);
    EXPECT_LE(std::ssize(rows) * longest, 900);
    seen.insert(rows.begin(), rows.end());
    std::vector<std::int64_t> together;
    for (int rank = 0; rank < 2; ++rank) {
      batching.rank = rank;
      batching.world = 2;
      const auto share = rows_of(make_source(400, batching), step);
      together.insert(together.end(), share.begin(), share.end());
    }
    std::sort(together.begin(), together.end());
    auto sorted = rows;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(together, sorted);
    batching.rank = 0;
    batching.world = 1;
  }
  EXPECT_EQ(seen.size(), 400u);
  EXPECT_GE(most, 3u);
}

TEST(BucketedSource, FewerRowsThanABatch) {
  const BucketedSource source = make_source(3, {7, 8, 8, 0, 1});
  EXPECT_EQ(source.steps_per_epoch(), 1);
  std::map<std::int64_t, int> seen;
  for (std::int64_t row : rows_of(source, 0)) ++seen[row];
  EXPECT_EQ(seen.size(), 3u);
  for (const auto& [row, times] : seen) EXPECT_TRUE(times == 2 || times == 3);
}

TEST(BucketedSource, Errors) {
  test::expect_error(ErrorCode::kData, "data.train: no rows to train on",
                     [] { make_source(0, {}); });
  test::expect_error(ErrorCode::kConfig, {"batch sizes must be at least 1"}, [] {
    make_source(3, {7, 0, 1, 0, 1});
  });
}

TEST(BatchesByLength, LongestFirstAndAllOnce) {
  const std::vector<std::int32_t> lengths = {3, 9, 1, 9, 5};
  EXPECT_EQ(batches_by_length(lengths, 2),
            (std::vector<std::vector<std::int64_t>>{{1, 3}, {4, 0}, {2}}));
  EXPECT_TRUE(batches_by_length({}, 2).empty());
}

TEST(BatchHelpers, TokensPaddingAndLengths) {
  const std::vector<TokenRow> rows = {{{1, 2, 3}}, {{4}}};
  const Batch batch = collate(rows, 0);
  EXPECT_EQ(real_tokens(batch.input), 4);
  const std::vector<TokenRow> even = {{{1, 2}}, {{4, 5}}};
  EXPECT_EQ(real_tokens(collate(even, 0).input), 4);
  EXPECT_EQ(pad_token(ByteTokenizer(ByteTokenizer::Kind::kMasked)), 256);
  EXPECT_EQ(pad_token(ByteTokenizer(ByteTokenizer::Kind::kCausal)), 257);
  EXPECT_EQ(pad_token(ByteTokenizer(ByteTokenizer::Kind::kPlain)), 0);
  const test::FakeModel model(5);
  EXPECT_EQ(model_length(model, 100), 100);
  EXPECT_EQ(model_length(model, std::int64_t{1} << 40), 1 << 20);
}

}  // namespace
}  // namespace llmctl
