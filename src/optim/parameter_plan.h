// Which parameters are trained, from which step on and at what share of the learning rate, as a
// section "optim" says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "optim/optimizer.h"

namespace llmctl {

/// Distance of each parameter from the input, by its Hugging Face name: 0 for embeddings, n + 1 for
/// those of block n (the first number in the name), one more than the last block for all others
/// (final norms, poolers, heads).
std::vector<std::int64_t> layer_depths(const std::vector<std::string>& names);

/// A plan for each parameter, `decayed` beside the names telling which weight decay does not spare.
/// - optim.freeze: frozen are names that match one of the patterns (fnmatch(3): *, ?, [a-c]).
/// - optim.layer_decay d (Clark et al., 2020): a parameter at depth k of n has the rate d^(n-k).
/// - optim.unfreeze_steps s (gradual unfreezing; Howard and Ruder, 2018): what is not in a block or
///   an embedding is trained from the beginning, and every s steps the next depth below.
/// kConfig for a pattern that matches no name, and when nothing is left to train.
std::vector<ParameterPlan> plan_parameters(const OptimConfig& config,
                                           const std::vector<std::string>& names,
                                           const std::vector<bool>& decayed);

}  // namespace llmctl
