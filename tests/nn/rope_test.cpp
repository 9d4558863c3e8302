#include "nn/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <thread>

namespace llmctl {
namespace {

RopeConfig dynamic() {
  RopeConfig config;
  config.kind = RopeKind::kDynamic;
  config.factor = 2;
  config.max_positions = 8;
  return config;
}

at::Tensor places(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

TEST(Rope, DynamicScalingIsOfEachTextAlone) {
  const RotaryEmbedding rope(dynamic(), 8);
  const auto alone = [&](std::int64_t length) {
    return rope.angles(at::arange(length, at::kLong)).first;
  };
  // A long row, and a short one whose padding repeats its last place.
  const at::Tensor batch = at::stack({places({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}),
                                      places({0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3})});
  const at::Tensor cosines = rope.angles(batch).first;
  EXPECT_TRUE(cosines[0].equal(alone(12)));
  EXPECT_TRUE(cosines[1].narrow(0, 0, 4).equal(alone(4)));
  EXPECT_FALSE(alone(12).narrow(0, 0, 4).equal(alone(4))) << "the long text is stretched";
  // Two texts packed into one row.
  const at::Tensor packed = places({0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).unsqueeze(0);
  const at::Tensor both = rope.angles(packed).first[0];
  EXPECT_TRUE(both.narrow(0, 0, 4).equal(alone(4)));
  EXPECT_TRUE(both.narrow(0, 4, 10).equal(alone(10)));
  // Decoding: one new token in each row.
  const at::Tensor step = rope.angles(places({11, 3}).view({2, 1})).first;
  EXPECT_TRUE(step[0][0].equal(alone(12)[11]));
  EXPECT_TRUE(step[1][0].equal(alone(4)[3]));
}

TEST(Rope, ServesSeveralThreads) {
  const RotaryEmbedding rope(RopeConfig(), 64);
  const at::Tensor positions = at::arange(100, at::kLong);
  std::vector<at::Tensor> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = rope.angles(positions).first; });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_TRUE(result.equal(results[0]));
}

}  // namespace
}  // namespace llmctl
