// Derivatives by finite differences, for operations that bring their own.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace llmctl::test {

/// Compares the gradients of sum(weights · function(inputs)) by autograd with central differences.
/// Inputs are fp64 for `step` 1e-6 and `tolerance` 1e-6; fp32 ones need about 1e-2 and 2e-2.
inline void check_gradients(
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
    std::vector<at::Tensor> inputs, double step = 1e-6, double tolerance = 1e-6) {
  for (auto& input : inputs) input.set_requires_grad(true);
  const at::Tensor output = function(inputs);
  const at::Tensor weights = at::randn(output.sizes(), output.options());
  (output * weights).sum().backward();
  const auto value = [&] {
    return (function(inputs).detach().to(at::kDouble) * weights.to(at::kDouble))
        .sum()
        .item<double>();
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(inputs[i].grad().defined()) << "input " << i;
    const at::Tensor flat = inputs[i].detach().view({-1});
    const at::Tensor gradient = inputs[i].grad().reshape({-1});
    for (std::int64_t j = 0; j < flat.numel(); ++j) {
      const auto before = flat[j].item<double>();
      flat[j].fill_(before + step);
      const double above = value();
      flat[j].fill_(before - step);
      const double below = value();
      flat[j].fill_(before);
      const double expected = (above - below) / (2 * step);
      EXPECT_NEAR(gradient[j].item<double>(), expected, tolerance * (1 + std::abs(expected)))
          << "input " << i << ", element " << j;
    }
  }
}

/// The largest |a - b|.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  if (a.numel() == 0) return 0;
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

}  // namespace llmctl::test
