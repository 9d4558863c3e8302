// What a forward pass is told besides its input.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llmctl {

class KvCache;

/// Receives hidden states and attention maps while a forward runs; names are "hidden_states.I" and
/// "attentions.I".
using Tap = std::function<void(const std::string& name, const at::Tensor& value)>;

/// One forward pass: mode, dropout's random key, cache, taps. Cheap to copy.
struct Context {
  bool train = false;  ///< dropout on
  std::uint64_t dropout_seed =
      0;  ///< of this micro-batch; each block seeds LibTorch's generator from it and its index
  KvCache* cache =
      nullptr;  ///< decoding: keys and values so far; null: the whole sequence is given
  at::ScalarType compute =
      at::kFloat;  ///< dtype of matrix products; norms, softmax and losses stay in fp32
  const Tap* tap = nullptr;
};

}  // namespace llmctl
