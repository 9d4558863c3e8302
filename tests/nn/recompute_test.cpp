#include "nn/recompute.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tanh.h>
#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(Recompute, GivesTheSameGradientsToInputsAndToWhatIsRead) {
  const at::Tensor x = at::randn({3, 4}), y = at::randn({4, 2}), weight = at::randn({3, 2});
  int runs = 0;
  const auto gradients = [&](bool again) {
    const at::Tensor a = x.clone().set_requires_grad(true), b = y.clone().set_requires_grad(true),
                     w = weight.clone().set_requires_grad(true);
    const auto work = [&runs, w](const std::vector<at::Tensor>& inputs) {
      ++runs;
      return at::tanh(inputs[0].matmul(inputs[1])) * w;
    };
    const at::Tensor result = again ? recompute(work, {a, b}) : work({a, b});
    (result * result).sum().backward();
    return std::vector<at::Tensor>{result.detach(), a.grad(), b.grad(), w.grad()};
  };
  const auto plain = gradients(false);
  EXPECT_EQ(runs, 1);
  const auto again = gradients(true);
  EXPECT_EQ(runs, 3);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(plain[i].equal(again[i])) << i;
}

TEST(Recompute, InputsWithoutGradientGetNone) {
  const at::Tensor a = at::randn({2, 2}).set_requires_grad(true), b = at::randn({2, 2});
  recompute([](const std::vector<at::Tensor>& inputs) { return inputs[0] * inputs[1]; }, {a, b})
      .sum()
      .backward();
  EXPECT_TRUE(a.grad().equal(b));
  EXPECT_FALSE(b.grad().defined());
}

}  // namespace
}  // namespace llmctl
