// Activation checkpointing: memory for time.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace llmctl {

/// work(inputs), of which only the inputs are kept for the backward pass, where it is run again
/// with gradients (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost"). `work` must
/// do the same both times, its random draws included; what else it reads (parameters) gets its
/// gradients as ever. At least one input must ask for a gradient, or parameters get none.
at::Tensor recompute(const std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>& work,
                     const std::vector<at::Tensor>& inputs);

}  // namespace llmctl
