// Linear maps of rows, with the gradients of several maps of one input summed inside the products.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace llmctl {

/// x [..., I] · weightᵀ + bias → [..., O] in `compute`. weight [O, I], bias [O] or undefined; x and
/// the parameters are cast to `compute` for the product, their gradients come in their own dtypes.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  at::ScalarType compute);

/// Logits rows [N, D] · weightᵀ [D, V] → [N, V] in fp32 (fp64 for fp64), which nothing rounds to
/// `compute` on the way: on GPUs products of operands in `compute` are summed and kept in fp32, on
/// the CPU the product is one of fp32. Gradients are computed in `compute`.
at::Tensor linear_logits(const at::Tensor& rows, const at::Tensor& weight, at::ScalarType compute);

/// Several maps of one input, as linear() each; the input is cast once and its gradient is
/// accumulated by the products. `biases` has an entry (perhaps undefined) for each weight,
/// `copies`, where it is not empty, the weight in `compute`, without gradient.
std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases, at::ScalarType compute,
                                    const std::vector<at::Tensor>& copies = {});

}  // namespace llmctl
