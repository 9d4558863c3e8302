// A linear layer: y = x·Wᵀ + b.
#pragma once

#include <optional>
#include <vector>

#include "nn/context.h"
#include "nn/matrix.h"

namespace llmctl {

/// Low-rank maps beside a layer's matrix (Hu et al., 2021): they add scale · B·A·x.
struct LowRank {
  at::Tensor a, b;  ///< [r, I], [O, r]
  double scale = 1, dropout = 0;
};

/// Owns weight [O, I] in one form (nn/matrix.h) and, when asked for, bias [O].
class Linear : public Matrix {
 public:
  Linear(std::int64_t inputs, std::int64_t outputs, bool bias, const at::TensorOptions& options);

  /// x [..., I] → [..., O] in context.compute; without gradient on the CPU, and from a quantised
  /// weight, in fp32.
  at::Tensor forward(const at::Tensor& x, const Context& context) const;

  at::Tensor bias;  ///< undefined without one
  std::optional<LowRank> low_rank;
  /// Maps that Context::adapters selects, by the adapters' numbers; not every one has some here.
  std::vector<std::optional<LowRank>> adapters;
};

/// Maps of one input side by side (query, key, value; gate, up): x is cast once, and its gradient
/// is summed inside the products.
std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                     const Context& context);

}  // namespace llmctl
