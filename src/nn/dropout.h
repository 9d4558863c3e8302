// Dropout (Srivastava et al., 2014) whose draws depend on the micro-batch and the block alone.
#pragma once

#include "nn/context.h"

namespace llmctl {

/// Block indices of what is not a layer.
inline constexpr std::int64_t kEmbeddingBlock = -1, kHeadBlock = -2;

/// Seeds LibTorch's generator of the device for the draws of one block, from context.dropout_seed
/// and the block's index; nothing outside of training.
void seed_dropout(const Context& context, std::int64_t block, const at::Device& device);

/// x with elements set to zero with the probability and the others scaled up; x itself outside of
/// training or at 0.
at::Tensor dropout(const at::Tensor& x, double probability, const Context& context);

}  // namespace llmctl
