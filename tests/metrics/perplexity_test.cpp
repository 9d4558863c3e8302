#include "metrics/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llmctl {
namespace {

TEST(Perplexity, OfUniformGuesses) {
  EXPECT_NEAR(perplexity(10 * std::log(50.0), 10), 50, 1e-9);
  EXPECT_NEAR(bits_per(8 * std::log(2.0), 4), 2, 1e-12);
}

TEST(Perplexity, Extremes) {
  EXPECT_EQ(perplexity(0, 5), 1);
  EXPECT_TRUE(std::isnan(perplexity(0, 0)));
  EXPECT_TRUE(std::isinf(perplexity(1e6, 1)));
}

}  // namespace
}  // namespace llmctl
