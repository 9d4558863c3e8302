// Low-rank maps beside a model's linear layers, chosen for each token of a pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "nn/linear.h"

namespace llmctl {

/// Tokens of a pass that an adapter is for.
struct AdapterUse {
  std::size_t adapter = 0;  ///< its number in the model
  double scale = 1;         ///< times the maps' own
  at::Tensor tokens;        ///< their indices [n] in [1, N]; undefined: all
};

/// What all layers of a model share: the adapters of the pass that is being computed.
struct AdapterSelection {
  std::vector<AdapterUse> uses;
  std::size_t count = 0;  ///< adapters that the model has
};

/// A layer's maps, by the adapters' numbers; not every adapter has some for it.
struct LayerAdapters {
  std::shared_ptr<const AdapterSelection> selection;
  std::vector<std::optional<LowRank>> maps;
};

}  // namespace llmctl
