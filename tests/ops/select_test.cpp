#include "ops/kernels/select.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace llmctl::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> numbers(std::size_t n) {
  Random random(random_key(1, "test", n));
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(4 * random.normal());
  return x;
}

TEST(Select, AgreesWithPlainLoopsAtEveryLength) {
  for (std::size_t n = 1; n < 150; ++n) {
    const std::vector<float> x = numbers(n);
    double sum = 0;
    std::int64_t best = 0;
    std::vector<std::uint32_t> above;
    for (std::size_t i = 0; i < n; ++i) {
      sum += std::exp(static_cast<double>(x[i]));
      if (x[i] > x[static_cast<std::size_t>(best)]) best = static_cast<std::int64_t>(i);
      if (x[i] > 1.0f) above.push_back(static_cast<std::uint32_t>(i));
    }
    EXPECT_NEAR(kernels::log_sum_exp(x.data(), n), std::log(sum),
                2e-6 * (1 + std::abs(std::log(sum))));
    EXPECT_EQ(kernels::index_of_largest(x.data(), n), best);
    std::vector<std::uint32_t> out(n);
    out.resize(kernels::indices_above(x.data(), n, 1.0f, out.data()));
    EXPECT_EQ(out, above) << n;
  }
}

TEST(Select, TakesTheFirstAmongEquals) {
  std::vector<float> x(70, -1.0f);
  for (const std::size_t at : {69, 40, 33}) {
    x[at] = 2.0f;
    EXPECT_EQ(kernels::index_of_largest(x.data(), x.size()), static_cast<std::int64_t>(at));
  }
}

TEST(Select, SaysWhatIsNotFinite) {
  for (const std::size_t at : {0, 5, 31, 64, 66}) {
    std::vector<float> x = numbers(67);
    x[at] = -kInf;
    EXPECT_GE(kernels::index_of_largest(x.data(), x.size()), 0);
    EXPECT_TRUE(std::isfinite(kernels::log_sum_exp(x.data(), x.size())));
    for (const float bad : {kInf, kNan}) {
      x[at] = bad;
      EXPECT_EQ(kernels::index_of_largest(x.data(), x.size()), -1);
      EXPECT_TRUE(std::isnan(kernels::log_sum_exp(x.data(), x.size())));
    }
  }
  const std::vector<float> none(40, -kInf);
  EXPECT_EQ(kernels::index_of_largest(none.data(), none.size()), -1);
  EXPECT_TRUE(std::isnan(kernels::log_sum_exp(none.data(), none.size())));
}

}  // namespace
}  // namespace llmctl::test
