// Which tokens of a pass get what from the low-rank maps beside a model's linear layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

namespace llmctl {

/// Tokens of a pass that an adapter is for.
struct AdapterUse {
  std::size_t adapter = 0;  ///< its number in the model, that of its maps in Linear::adapters
  double scale = 1;         ///< times the maps' own
  at::Tensor tokens;        ///< their indices [n] in [1, N]; undefined: all
};

}  // namespace llmctl
