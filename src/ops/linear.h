// Linear maps of rows, with the gradients of several maps of one input summed inside the products.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace llmctl {

/// x [..., I] · weightᵀ + bias → [..., O] in `compute`. weight [O, I], bias [O] or undefined; x and
/// the parameters are cast to `compute` for the product, their gradients come in their own dtypes.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  at::ScalarType compute);

/// Several maps of one input, as linear() each; the input is cast once and its gradient is
/// accumulated by the products. `biases` has an entry (perhaps undefined) for each weight.
std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases, at::ScalarType compute);

}  // namespace llmctl
