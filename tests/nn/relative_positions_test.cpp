#include "nn/relative_positions.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "support/device.h"

namespace llmctl {
namespace {

TEST(RelativePositions, BucketsOfBothDirections) {
  const RelativePositionsConfig config{
      .buckets = 32, .max_distance = 128, .heads = 1, .bidirectional = true};
  // Eight single distances each way, then log2(distance / 8) / 4 of the other eight.
  for (const auto& [distance, bucket] : {std::pair{0, 0},
                                         {-1, 1},
                                         {-7, 7},
                                         {-8, 8},
                                         {-16, 10},
                                         {-127, 15},
                                         {-5000, 15},
                                         {1, 17},
                                         {7, 23},
                                         {8, 24},
                                         {16, 26},
                                         {5000, 31}}) {
    EXPECT_EQ(relative_bucket(config, distance), bucket) << distance;
  }
}

TEST(RelativePositions, BucketsOfThePast) {
  const RelativePositionsConfig config{.buckets = 32, .max_distance = 128, .heads = 1};
  for (const auto& [distance, bucket] :
       {std::pair{0, 0}, {3, 0}, {-1, 1}, {-15, 15}, {-16, 16}, {-128, 31}, {-9999, 31}}) {
    EXPECT_EQ(relative_bucket(config, distance), bucket) << distance;
  }
}

TEST(RelativePositions, BiasOfEachHeadByDistance) {
  const RelativePositionsConfig config{.buckets = 8, .max_distance = 16, .heads = 2};
  RelativePositions positions(config, at::TensorOptions().device(at::Device(test::test_device())));
  const c10::AutoGradMode no_grad(false);
  positions.weight.copy_(at::arange(16).view({8, 2}));
  const at::Tensor bias = positions.bias(6).cpu();
  const at::Tensor back = positions.distance_bias(6).cpu();
  ASSERT_EQ(bias.sizes(), (at::IntArrayRef{1, 2, 6, 6}));
  ASSERT_EQ(back.sizes(), (at::IntArrayRef{2, 6}));
  for (std::int64_t head = 0; head < 2; ++head) {
    for (std::int64_t query = 0; query < 6; ++query) {
      for (std::int64_t key = 0; key < 6; ++key) {
        const auto wanted = static_cast<float>(2 * relative_bucket(config, key - query) + head);
        EXPECT_EQ(bias[0][head][query][key].item<float>(), wanted);
        if (key <= query) EXPECT_EQ(back[head][query - key].item<float>(), wanted);
      }
    }
  }
}

}  // namespace
}  // namespace llmctl
