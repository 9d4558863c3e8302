// Activation functions by Hugging Face's names, and the gated product of SwiGLU feed-forwards.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "ops/kernels/activation.h"

namespace llmctl {

std::optional<Activation> find_activation(const std::string& name);
const std::vector<std::string>& activation_names();

/// Element-wise, in the dtype of x, computed in fp32 at least.
at::Tensor activate(Activation activation, const at::Tensor& x);

/// activation(gate) · up, both [..., F], in their dtype, computed in fp32 at least (Shazeer, 2020).
at::Tensor gated_product(Activation activation, const at::Tensor& gate, const at::Tensor& up);

}  // namespace llmctl
