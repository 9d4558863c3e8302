#include "tasks/record_mixture.h"

#include <gtest/gtest.h>

#include "data/mixture.h"

namespace llmctl {
namespace {

TEST(RecordMixture, VisitsFollowWeightsAndTemperature) {
  // A large file, two small ones that are one entry, and records of no entry.
  std::vector<std::string> names;
  std::vector<std::size_t> files;
  for (std::size_t i = 0; i < 1000; ++i) {
    names.push_back("record " + std::to_string(i));
    files.push_back(i < 810 ? 0 : i < 860 ? 1 : i < 900 ? 2 : 3);
  }
  const std::vector<std::string_view> units(names.begin(), names.end());
  TaskData data;
  data.train = {{{"a"}, 1.0}, {{"b", "c"}, 2.0}};
  const auto of_entries = [&](std::int64_t& rest) {
    std::pair<std::int64_t, std::int64_t> entries{0, 0};
    rest = 0;
    const std::vector<std::int64_t> visits = visits_of(data, units, files);
    for (std::size_t i = 0; i < visits.size(); ++i)
      (files[i] == 0 ? entries.first : files[i] < 3 ? entries.second : rest) += visits[i];
    return entries;
  };
  std::int64_t rest = 0;
  EXPECT_EQ(of_entries(rest), std::pair(std::int64_t{810}, std::int64_t{180}));
  EXPECT_EQ(rest, 100);
  // 810 and 180 become as their roots: 28.5 to 13.4 of 990.
  data.temperature = 2;
  const auto tempered = of_entries(rest);
  EXPECT_NEAR(static_cast<double>(tempered.first), 673, 30);
  EXPECT_NEAR(static_cast<double>(tempered.second), 317, 30);
  EXPECT_EQ(rest, 100);
  data.temperature = 1000;
  const auto equal = of_entries(rest);
  EXPECT_NEAR(static_cast<double>(equal.first), static_cast<double>(equal.second), 60);
  EXPECT_EQ(epoch_of({0, 2, 1}), (std::vector<std::int64_t>{1, 1, 2}));
}

TEST(RecordMixture, BalancedVisitsGiveTheLastRecordsTheirShare) {
  const auto balanced = [](std::vector<std::int64_t> visits, std::size_t first, double share) {
    balance_visits(visits, first, share);
    return visits;
  };
  using Visits = std::vector<std::int64_t>;
  // Few before many: 2 come up to the 5 behind them, or to a third of these.
  EXPECT_EQ(balanced({1, 1, 1, 1, 1, 1, 1}, 2, 0.5), (Visits{3, 2, 1, 1, 1, 1, 1}));
  EXPECT_EQ(balanced({1, 1, 1, 1, 1, 1, 1, 1}, 2, 0.75), (Visits{1, 1, 1, 1, 1, 1, 1, 1}));
  // Many before few: these come up to a share of a fifth.
  EXPECT_EQ(balanced({2, 2, 2, 2, 1}, 4, 0.2), (Visits{2, 2, 2, 2, 2}));
  // What is left out stays out, and weights hold among themselves.
  EXPECT_EQ(balanced({0, 1, 2, 3, 3}, 3, 0.5), (Visits{0, 2, 4, 3, 3}));
  EXPECT_EQ(balanced({1, 1}, 2, 0.5), (Visits{1, 1}));
  EXPECT_EQ(balanced({0, 1}, 1, 0.5), (Visits{0, 1}));
}

TEST(RecordMixture, TemperedWeightsKeepAnEpochsLength) {
  const std::vector<double> sizes = {100, 400, 0};
  EXPECT_EQ(tempered_weights({1, 2, 3}, sizes, 1), (std::vector<double>{1, 2, 3}));
  const std::vector<double> weights = tempered_weights({1, 1, 3}, sizes, 2);
  EXPECT_NEAR(weights[0] * 100, 500.0 / 3, 1e-9);
  EXPECT_NEAR(weights[1] * 400, 1000.0 / 3, 1e-9);
  EXPECT_EQ(weights[2], 3);
}

}  // namespace
}  // namespace llmctl
