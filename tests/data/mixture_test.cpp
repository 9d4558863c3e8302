#include "data/mixture.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "support/test_shards.h"

namespace llmctl {
namespace {

using test::counting_documents;
using test::expect_error;
using test::make_shards;
using test::TempDir;

/// How often each token of each corpus is in a row.
std::map<const Shards*, std::vector<int>> coverage(const Mixture& mixture) {
  std::map<const Shards*, std::vector<int>> times;
  for (std::uint64_t i = 0; i < mixture.rows(); ++i) {
    const Mixture::Row row = mixture.row(i);
    auto& counts = times[row.shards];
    counts.resize(row.shards->tokens());
    for (const RowPiece& piece : row.pieces) {
      for (std::uint64_t t = 0; t < piece.length; ++t) ++counts[piece.begin + t];
    }
  }
  return times;
}

class MixtureTest : public ::testing::TestWithParam<std::string> {
 protected:
  Mixture mix(std::vector<WeightedShards> corpora, std::uint64_t seed = 1) {
    return {std::move(corpora), {GetParam(), 16}, {}, seed, dir_ / "cache"};
  }
  TempDir dir_;
  std::shared_ptr<const Shards> a_ =
      make_shards(dir_ / "a", counting_documents(std::vector<std::size_t>(200, 7)), 10'000);
  std::shared_ptr<const Shards> b_ =
      make_shards(dir_ / "b", counting_documents({40, 1, 30}), 10'000);
};

TEST_P(MixtureTest, WeightsArePassesPerEpoch) {
  const auto times = coverage(mix({{a_, 2.5}, {b_, 1}}));
  std::map<int, int> documents;  // by how often they are taken
  for (std::uint64_t d = 0; d < a_->documents(); ++d) {
    const int often = times.at(a_.get())[a_->document_start(d)];
    ++documents[often];
    for (std::uint64_t t = a_->document_start(d); t < a_->document_start(d + 1); ++t) {
      ASSERT_EQ(times.at(a_.get())[t], often);
    }
  }
  EXPECT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[2] + documents[3], 200);
  EXPECT_NEAR(documents[3], 100, 30);
  EXPECT_EQ(times.at(b_.get()), std::vector<int>(71, 1));
}

TEST_P(MixtureTest, AShareIsChosenByTheSeed) {
  const auto first = coverage(mix({{a_, 0.5}}, 1)), second = coverage(mix({{a_, 0.5}}, 2));
  EXPECT_NE(first, second);
  EXPECT_EQ(first, coverage(mix({{a_, 0.5}}, 1)));
}

TEST_P(MixtureTest, TheFingerprintSaysWhatTheRowsAre) {
  const std::string print = mix({{a_, 1}, {b_, 1}}).fingerprint();
  EXPECT_EQ(print, mix({{a_, 1}, {b_, 1}}).fingerprint());
  EXPECT_NE(print, mix({{b_, 1}, {a_, 1}}).fingerprint());
  EXPECT_NE(print, mix({{a_, 1}, {b_, 2}}).fingerprint());
  EXPECT_NE(print, mix({{a_, 1}, {b_, 1}}, 2).fingerprint());
  EXPECT_NE(print,
            Mixture({{a_, 1}, {b_, 1}}, {GetParam(), 17}, {}, 1, dir_ / "cache").fingerprint());
}

TEST_P(MixtureTest, NothingAndNonsenseAreRefused) {
  const auto empty = make_shards(dir_ / "e", {}, 10);
  expect_error(ErrorCode::kData, {"no row", "0 tokens"}, [&] { mix({{empty, 1}}); });
  expect_error(ErrorCode::kData, {"no row"}, [&] { mix({}); });
  for (const double weight : {0.0, -1.0, 0.0 / 0.0}) {
    expect_error(ErrorCode::kConfig, {"weight"}, [&] { mix({{a_, weight}}); });
  }
}

INSTANTIATE_TEST_SUITE_P(All, MixtureTest, ::testing::Values("concat", "best_fit", "pad"));

}  // namespace
}  // namespace llmctl
