// Choosing tokens where the logits are, so that a step of many rows brings back one number for each
// and not a row of the vocabulary's size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

/// One token to be chosen: the greatest logit, or a draw among what the filters leave. Both are
/// what Sampler says of the options of the same names.
struct DeviceChoice {
  std::int64_t row = 0;  ///< of the logits; several choices may share one
  bool draws = false;
  double temperature = 1;
  std::int64_t top_k = 0;
  double top_p = 1, min_p = 0;
  double uniform = 0;  ///< of the draw, in [0, 1)
};

/// The ids chosen from logits [R, V] fp32 on any device; -1 where a row has NaN or +infinity, or
/// nothing that is possible. One tensor goes to the device, one comes back. The probabilities are
/// summed in fp64 by ascending ids, as Sampler does: the same tokens for the same numbers, but
/// where a draw falls within rounding of the bound between two of them.
std::vector<TokenId> choose_on_device(const at::Tensor& logits,
                                      std::span<const DeviceChoice> choices);

}  // namespace llmctl
