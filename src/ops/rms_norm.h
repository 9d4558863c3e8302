// Root-mean-square normalisation (Zhang and Sennrich, 2019).
#pragma once

#include <ATen/core/Tensor.h>

namespace llmctl {

/// x / sqrt(mean(x²) + eps) · weight over the last axis: x [..., D], weight [D] → [..., D] in
/// `output`. Computed in fp32 (in fp64 for fp64 inputs).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    at::ScalarType output);

}  // namespace llmctl
