// Activation functions by Hugging Face's names, and the gated product of SwiGLU feed-forwards.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

namespace llmctl {

enum class Activation {
  kGelu,       ///< x/2 · (1 + erf(x/√2)): "gelu"
  kGeluTanh,   ///< x/2 · (1 + tanh(√(2/π)(x + 0.044715x³))): "gelu_new", "gelu_pytorch_tanh"
  kSilu,       ///< x·σ(x): "silu", "swish"
  kRelu,       ///< max(x, 0): "relu"
  kQuickGelu,  ///< x·σ(1.702x): "quick_gelu"
  kTanh        ///< "tanh"
};

std::optional<Activation> find_activation(const std::string& name);
const std::vector<std::string>& activation_names();

/// Element-wise, in the dtype of x, computed in fp32 at least.
at::Tensor activate(Activation activation, const at::Tensor& x);

/// activation(gate) · up, both [..., F], in their dtype, computed in fp32 at least (Shazeer, 2020).
at::Tensor gated_product(Activation activation, const at::Tensor& gate, const at::Tensor& up);

}  // namespace llmctl
