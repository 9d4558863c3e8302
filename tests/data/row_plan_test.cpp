#include "data/row_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "support/test_shards.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::counting_documents;
using test::expect_error;
using test::make_shards;
using test::TempDir;

std::vector<RowPiece> pieces_of(const RowPlan& plan, std::uint64_t row) {
  std::vector<RowPiece> pieces;
  plan.pieces(row, pieces);
  return pieces;
}

std::vector<std::vector<RowPiece>> rows_of(const RowPlan& plan) {
  std::vector<std::vector<RowPiece>> rows;
  for (std::uint64_t row = 0; row < plan.rows(); ++row) rows.push_back(pieces_of(plan, row));
  return rows;
}

/// How often each token is in a row.
std::vector<int> coverage(const RowPlan& plan, const Shards& shards) {
  std::vector<int> times(shards.tokens());
  for (const auto& row : rows_of(plan)) {
    for (const RowPiece& piece : row) {
      for (std::uint64_t t = piece.begin; t < piece.begin + piece.length; ++t) ++times[t];
    }
  }
  return times;
}

std::vector<std::size_t> random_lengths(std::size_t count, std::size_t longest) {
  Random random(random_key(7, "lengths"));
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(1 + random.below(longest));
  return lengths;
}

RowPlanOptions options_of(Packing packing, std::int64_t length) {
  RowPlanOptions options;
  options.packing = packing;
  options.length = length;
  return options;
}

class RowPlans : public ::testing::TestWithParam<std::tuple<Packing, std::int64_t, double>> {};

TEST_P(RowPlans, EveryTokenIsInOneRow) {
  const auto [packing, overhead, share] = GetParam();
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents(random_lengths(400, 60)), 100'000);
  RowPlanOptions options = options_of(packing, 32);
  options.overhead = overhead;
  options.share = share;
  options.seed = 3;
  const RowPlan plan(*shards, options);

  const std::vector<int> times = coverage(plan, *shards);
  std::size_t taken = 0;
  for (std::uint64_t document = 0; document < shards->documents(); ++document) {
    const int first = times[shards->document_start(document)];
    taken += first > 0 ? 1 : 0;
    for (std::uint64_t t = shards->document_start(document);
         t < shards->document_start(document + 1); ++t) {
      ASSERT_EQ(times[t], first) << "a document is taken whole or not at all";
      ASSERT_LE(times[t], 1);
    }
  }
  if (share == 1) {
    EXPECT_EQ(taken, shards->documents());
  } else {
    EXPECT_NEAR(static_cast<double>(taken), share * 400, 50);
  }
  for (std::uint64_t row = 0; row < plan.rows(); ++row) {
    const auto pieces = pieces_of(plan, row);
    ASSERT_FALSE(pieces.empty());
    std::int64_t length = packing == Packing::kConcat ? overhead : 0;
    for (const RowPiece& piece : pieces) {
      ASSERT_GT(piece.length, 0U);
      length += piece.length + (packing == Packing::kConcat ? 0 : overhead);
      if (packing != Packing::kConcat) {
        ASSERT_EQ(shards->document_of(piece.begin),
                  shards->document_of(piece.begin + piece.length - 1));
      }
    }
    ASSERT_EQ(plan.row_length(row), length);
    ASSERT_LE(length, 32);
    if (packing == Packing::kConcat && row + 1 < plan.rows()) ASSERT_EQ(length, 32);
    if (packing == Packing::kPad) ASSERT_EQ(pieces.size(), 1U);
  }
  EXPECT_EQ(rows_of(plan), rows_of(RowPlan(*shards, options))) << "not deterministic";
  EXPECT_EQ(rows_of(plan), rows_of(RowPlan::cached(*shards, options, dir / "cache")));
  EXPECT_EQ(rows_of(plan), rows_of(RowPlan::cached(*shards, options, dir / "cache")));
}

INSTANTIATE_TEST_SUITE_P(All, RowPlans,
                         ::testing::Combine(::testing::Values(Packing::kConcat, Packing::kBestFit,
                                                              Packing::kPad),
                                            ::testing::Values(0, 2), ::testing::Values(1.0, 0.3)));

TEST(RowPlan, LongDocumentsAreCutAndShortOnesFillTheGaps) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents({25, 3, 6, 4, 2}), 1000);
  const RowPlan plan(*shards, options_of(Packing::kBestFit, 10));
  // Pieces of 10, 10 and 5 of the first; then 6 + 4, 5 + 3 + 2.
  const auto rows = rows_of(plan);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0], (std::vector<RowPiece>{{0, 10}}));
  EXPECT_EQ(rows[1], (std::vector<RowPiece>{{10, 10}}));
  EXPECT_EQ(rows[2], (std::vector<RowPiece>{{28, 6}, {34, 4}}));
  EXPECT_EQ(rows[3], (std::vector<RowPiece>{{20, 5}, {25, 3}, {38, 2}}));
}

TEST(RowPlan, BestFitWastesLittle) {
  const TempDir dir;
  const auto lengths = random_lengths(5000, 300);
  const auto shards = make_shards(dir / "s", counting_documents(lengths), 10'000'000);
  const RowPlan plan(*shards, options_of(Packing::kBestFit, 512));
  const double used =
      static_cast<double>(shards->tokens()) / static_cast<double>(plan.rows() * 512);
  EXPECT_GT(used, 0.99);
}

TEST(RowPlan, TheEndTokenCanBeLeftOut) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {4}, {}}, 10, 9);
  RowPlanOptions options = options_of(Packing::kPad, 8);
  options.drop_end = true;
  EXPECT_EQ(rows_of(RowPlan(*shards, options)),
            (std::vector<std::vector<RowPiece>>{{{0, 3}}, {{4, 1}}}));
  options.packing = Packing::kConcat;
  EXPECT_EQ(rows_of(RowPlan(*shards, options)), (std::vector<std::vector<RowPiece>>{{{0, 7}}}));
}

TEST(RowPlan, TakesTheBeginOfTheStreamWhenAsked) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents({6, 6, 6}), 100);
  for (const Packing packing : {Packing::kConcat, Packing::kBestFit, Packing::kPad}) {
    for (const std::uint64_t most : {1, 6, 7, 17, 18, 100}) {
      RowPlanOptions options = options_of(packing, 5);
      options.max_tokens = most;
      const auto times = coverage(RowPlan(*shards, options), *shards);
      for (std::uint64_t t = 0; t < 18; ++t) EXPECT_EQ(times[t], t < most ? 1 : 0);
    }
  }
}

TEST(RowPlan, OtherOptionsOrContentsAreOtherPlans) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents({6, 6, 6}), 100);
  const auto files = [&] {
    return std::distance(fs::directory_iterator(dir / "cache"), fs::directory_iterator());
  };
  std::ptrdiff_t expected = 0;
  const auto adds_one = [&](const Shards& of, const RowPlanOptions& options) {
    RowPlan::cached(of, options, dir / "cache");
    EXPECT_EQ(files(), ++expected);
  };
  RowPlanOptions options = options_of(Packing::kBestFit, 8);
  adds_one(*shards, options);
  adds_one(*make_shards(dir / "t", counting_documents({6, 7, 6}), 100), options);
  adds_one(*shards, options_of(Packing::kPad, 8));
  adds_one(*shards, options_of(Packing::kBestFit, 9));
  options.overhead = 1;
  adds_one(*shards, options);
  options.drop_end = true;
  adds_one(*shards, options);
  options.max_tokens = 9;
  adds_one(*shards, options);
  options.share = 0.5;
  adds_one(*shards, options);
  options.seed = 4;
  adds_one(*shards, options);
  RowPlan::cached(*shards, options, dir / "cache");
  RowPlan::cached(*shards, options_of(Packing::kConcat, 8), dir / "cache");
  EXPECT_EQ(files(), expected);
}

TEST(RowPlan, DamagedPlansAreMadeAgainOrRefused) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents({6, 6, 6}), 100);
  const RowPlanOptions options = options_of(Packing::kBestFit, 8);
  const auto rows = rows_of(RowPlan::cached(*shards, options, dir / "cache"));
  const fs::path file = fs::directory_iterator(dir / "cache")->path();
  const std::string good = test::slurp(file);
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, good.size() - 4}) {
    dir.write(fs::relative(file, dir.path()), good.substr(0, size));
    EXPECT_EQ(rows_of(RowPlan::cached(*shards, options, dir / "cache")), rows);
  }
  // A plan of the right size that names tokens beyond the end.
  std::string bad = good;
  bad[32 + 8 * 4 + 7] = '\x7f';
  dir.write(fs::relative(file, dir.path()), bad);
  expect_error(ErrorCode::kData, {"rows-", "row 0 is damaged", "remove the file"},
               [&] { rows_of(RowPlan::cached(*shards, options, dir / "cache")); });
}

TEST(RowPlan, ALengthWithoutRoomIsRefused) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", counting_documents({6}), 100);
  RowPlanOptions options = options_of(Packing::kPad, 2);
  options.overhead = 2;
  expect_error(ErrorCode::kConfig, {"length of 2", "2 special tokens"},
               [&] { RowPlan(*shards, options); });
}

TEST(Packing, NamesAreChecked) {
  EXPECT_EQ(packing_of("concat"), Packing::kConcat);
  EXPECT_EQ(packing_of("best_fit"), Packing::kBestFit);
  EXPECT_EQ(packing_of("pad"), Packing::kPad);
  expect_error(ErrorCode::kConfig, {"'bestfit'", "did you mean 'best_fit'"},
               [] { packing_of("bestfit"); });
}

}  // namespace
}  // namespace llmctl
