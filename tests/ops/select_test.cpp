#include "ops/kernels/select.h"

#include <gtest/gtest.h>

#include <algorithm>
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

TEST(Select, WeighsAndSumsAtEveryLength) {
  for (std::size_t n = 1; n < 150; ++n) {
    const std::vector<float> x = numbers(n);
    std::vector<float> divided = x, powers(n);
    kernels::divide(divided.data(), n, 0.7f);
    kernels::exponentials(x.data(), n, 3.0f, powers.data());
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(divided[i], x[i] / 0.7f);
      EXPECT_NEAR(powers[i], std::exp(x[i] - 3.0f), 3e-7 * powers[i]);
      if (!(x[i] <= 1.0f)) continue;
      sum += static_cast<double>(x[i]);
      ++count;
    }
    const kernels::Share share = kernels::share_up_to(x.data(), n, 1.0f);
    EXPECT_EQ(share.count, count);
    EXPECT_NEAR(share.sum, sum, 1e-12 * static_cast<double>(n));
    std::vector<float> maxima((n + kernels::kMaximaBlock - 1) / kernels::kMaximaBlock);
    kernels::block_maxima(x.data(), n, maxima.data());
    for (std::size_t b = 0; b < maxima.size(); ++b) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(b * kernels::kMaximaBlock);
      const std::size_t size = std::min(kernels::kMaximaBlock, n - b * kernels::kMaximaBlock);
      EXPECT_EQ(maxima[b], *std::max_element(first, first + static_cast<std::ptrdiff_t>(size)));
    }
  }
  std::vector<float> ends = {2.0f, -kInf, 1.0f, 2.0f};
  kernels::exponentials(ends.data(), ends.size(), 2.0f, ends.data());
  EXPECT_EQ(ends[0], 1.0f);  // the greatest weighs exactly 1
  EXPECT_EQ(ends[1], 0.0f);
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
