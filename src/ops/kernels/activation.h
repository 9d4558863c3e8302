// Activation functions of fp32 numbers and their gradients, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl {

enum class Activation {
  kGelu,       ///< x/2 · (1 + erf(x/√2)): "gelu"
  kGeluTanh,   ///< x/2 · (1 + tanh(√(2/π)(x + 0.044715x³))): "gelu_new", "gelu_pytorch_tanh"
  kSilu,       ///< x·σ(x): "silu", "swish"
  kRelu,       ///< max(x, 0): "relu"
  kQuickGelu,  ///< x·σ(1.702x): "quick_gelu"
  kTanh        ///< "tanh"
};

namespace kernels {

/// y[i] = activation(x[i]), times factor[i] where `factor` is not null.
void activation_forward(Activation activation, const float* x, const float* factor, float* y,
                        std::int64_t n);

/// From the gradient of y: that of x and, where `factor` is not null, that of the factors.
void activation_backward(Activation activation, const float* gradient, const float* x,
                         const float* factor, float* x_gradient, float* factor_gradient,
                         std::int64_t n);

}  // namespace kernels
}  // namespace llmctl
