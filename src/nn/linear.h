// A linear layer: y = x·Wᵀ + b.
#pragma once

#include <torch/nn/module.h>

#include "nn/context.h"

namespace llmctl {

/// Owns weight [O, I] and, when asked for, bias [O].
class Linear : public torch::nn::Module {
 public:
  Linear(std::int64_t inputs, std::int64_t outputs, bool bias, const at::TensorOptions& options);

  /// x [..., I] → [..., O] in context.compute.
  at::Tensor forward(const at::Tensor& x, const Context& context) const;

  at::Tensor weight, bias;  ///< bias is undefined without one
};

/// Maps of one input side by side (query, key, value; gate, up): x is cast once, and its gradient
/// is summed inside the products.
std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                     const Context& context);

}  // namespace llmctl
