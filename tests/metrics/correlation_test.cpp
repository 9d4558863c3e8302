#include "metrics/correlation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace llmctl {
namespace {

TEST(Correlation, AsScipyComputesIt) {
  // scipy 1.17.1, stats.pearsonr and stats.spearmanr; ties in both lists.
  const std::vector<double> a = {2.5, 0.5, 2.5, -1.0, 3.25, 0.5, 7.0, 1e6},
                            b = {1.0, 0.25, 0.75, -2.0, 2.0, 2.0, 2.0, 5.0};
  EXPECT_NEAR(pearson(a, b), 0.7389914708959531, 1e-12);
  EXPECT_NEAR(spearman(a, b), 0.8025302972777916, 1e-12);
  const std::span<const double> seven_a(a.data(), 7), seven_b(b.data(), 7);
  EXPECT_NEAR(pearson(seven_a, seven_b), 0.66528782243902, 1e-12);
  EXPECT_NEAR(spearman(seven_a, seven_b), 0.6982375043891674, 1e-12);
}

TEST(Correlation, UndefinedIsNotANumber) {
  const std::vector<double> same = {2, 2, 2}, other = {1, 2, 3}, none, one = {1};
  EXPECT_TRUE(std::isnan(pearson(same, other)));
  EXPECT_TRUE(std::isnan(spearman(other, same)));
  EXPECT_TRUE(std::isnan(pearson(none, none)));
  EXPECT_TRUE(std::isnan(pearson(one, one)));
  EXPECT_NEAR(pearson(other, other), 1, 1e-12);
}

}  // namespace
}  // namespace llmctl
