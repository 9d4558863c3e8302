// Normalisation over the last axis, alone and together with the residual sum before it.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace llmctl {

/// LayerNorm (Ba et al., 2016): (x - mean) / sqrt(variance + eps) · weight + bias. Without a bias
/// RMSNorm (Zhang and Sennrich, 2019): x / sqrt(mean(x²) + eps) · weight.
struct NormParameters {
  at::Tensor weight;  ///< [D]
  at::Tensor bias;    ///< [D], or undefined: RMSNorm
  double eps = 1e-5;
};

/// x [..., D] → [..., D] in `output`. Computed in fp32 (in fp64 for fp64 inputs).
at::Tensor norm(const at::Tensor& x, const NormParameters& parameters, at::ScalarType output);

/// x + addend, both [..., D], in fp32 (fp64 for fp64 inputs), and its norm in `output`. Forwards
/// and backwards the sum is read once where it is made.
std::pair<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const at::Tensor& addend,
                                           const NormParameters& parameters, at::ScalarType output);

}  // namespace llmctl
