#include "nn/initialize.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>

namespace llmctl {
namespace {

TEST(FillNormal, IsAFunctionOfSeedAndName) {
  at::Tensor a = at::empty({100, 50}, at::kFloat), b = at::empty({100, 50}, at::kFloat);
  fill_normal(a, 0.5, 7, "x");
  fill_normal(b, 0.5, 7, "x");
  EXPECT_TRUE(a.equal(b));
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(a.std().item<double>(), 0.5, 0.03);
  fill_normal(b, 0.5, 7, "y");
  EXPECT_FALSE(a.equal(b));
  fill_normal(b, 0.5, 8, "x");
  EXPECT_FALSE(a.equal(b));
}

TEST(FillSinusoids, AreThoseOfThePaper) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    at::Tensor table = at::empty({6, 5}, dtype);
    fill_sinusoids(table, 0.1);
    for (std::int64_t position = 0; position < 6; ++position) {
      for (std::int64_t column = 0; column < 5; ++column) {
        const double angle = static_cast<double>(position) /
                             std::pow(10000.0, 2.0 * static_cast<double>(column / 2) / 5.0);
        EXPECT_NEAR(table[position][column].item<double>(),
                    0.1 * (column % 2 == 0 ? std::sin(angle) : std::cos(angle)), 1e-7);
      }
    }
  }
}

}  // namespace
}  // namespace llmctl
