#include "ops/dropout.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kernel_targets.h"
#include "ops/backend.h"
#include "ops/kernels/dropout.h"

namespace llmctl::test {
namespace {

class Dropout : public KernelTargets {};

INSTANTIATE_TEST_SUITE_P(Kernels, Dropout, kernel_targets(), target_name);

TEST_P(Dropout, DrawsArePhiloxOfKeyAndElement) {
  const std::uint64_t key = 0x0123456789ABCDEFu;
  const kernels::Drop drop{key, 1'000'000'000, 2.0f};
  for (std::int64_t n : {1, 15, 32, 33, 100, 257}) {
    const std::vector<float> x(static_cast<std::size_t>(n), 3.0f);
    std::vector<float> y(x.size(), -1.0f);
    kernels::drop(drop, x.data(), y.data(), 0, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto counter = static_cast<std::uint32_t>(8 * (i / 32) + i % 16 / 2);
      const std::array<std::uint32_t, 4> words =
          philox4x32({counter, 0, 0, 0},
                     {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
      const auto draw =
          static_cast<std::int32_t>(words[static_cast<std::size_t>(i % 32 / 16 * 2 + i % 2)] >> 1);
      EXPECT_EQ(y[static_cast<std::size_t>(i)], draw < drop.threshold ? 0.0f : 6.0f) << i;
    }
  }
}

TEST_P(Dropout, KeepsTheShareAndTheMean) {
  const at::Device device(at::kCPU);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const double probability : {0.1, 0.5, 0.9}) {
      seed_generator(device, 5);
      const at::Tensor y = drop_elements(at::ones({400, 1000}, type), probability).to(at::kFloat);
      const double kept = y.ne(0).to(at::kDouble).mean().item<double>();
      const double deviation = std::sqrt(probability * (1 - probability) / 400e3);
      EXPECT_NEAR(kept, 1 - probability, 4.5 * deviation);
      EXPECT_NEAR(y.max().item<double>(), 1 / (1 - probability), 0.01 / (1 - probability));
      // Neighbours, rows and columns fall independently of one another.
      const at::Tensor zeros = y.eq(0).to(at::kDouble) - probability;
      for (const std::int64_t lag : {1, 2, 16, 32, 1000}) {
        const at::Tensor flat = zeros.flatten();
        const double together =
            (flat.narrow(0, 0, flat.size(0) - lag) * flat.narrow(0, lag, flat.size(0) - lag))
                .mean()
                .item<double>();
        EXPECT_NEAR(together, 0, 4.5 * probability * (1 - probability) / std::sqrt(400e3)) << lag;
      }
    }
  }
}

TEST_P(Dropout, IsTheSameWithAnyNumberOfThreadsAndFollowsTheSeed) {
  const at::Tensor x = at::randn({333, 517});
  const auto drawn = [&](int threads, std::uint64_t seed) {
    at::set_num_threads(threads);
    seed_generator(at::Device(at::kCPU), seed);
    drop_elements(x, 0.3);
    return drop_elements(x, 0.3);
  };
  const int before = at::get_num_threads();
  const at::Tensor one = drawn(1, 3);
  EXPECT_TRUE(drawn(2, 3).equal(one));
  EXPECT_FALSE(drawn(2, 4).equal(one));
  at::set_num_threads(before);
  seed_generator(at::Device(at::kCPU), 3);
  EXPECT_FALSE(drop_elements(x, 0.3).equal(one)) << "each tensor has draws of its own";
  EXPECT_TRUE(drop_elements(x.t().contiguous().t(), 0.3).eq(0).equal(one.eq(0)));
}

TEST_P(Dropout, GradientsPassWhereElementsDid) {
  const at::Tensor x = at::randn({50, 70}).set_requires_grad(true);
  const at::Tensor y = drop_elements(x, 0.4);
  const at::Tensor weights = at::randn({50, 70});
  (y * weights).sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), weights * (y / x).detach(), 1e-5, 1e-6));
  EXPECT_EQ(drop_elements(at::ones({5}), 1.0).sum().item<float>(), 0);
  EXPECT_EQ(drop_elements(at::ones({0, 3}), 0.5).numel(), 0);
}

}  // namespace
}  // namespace llmctl::test
