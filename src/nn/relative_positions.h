// Distances between tokens as biases of attention (Raffel et al., 2020, T5).
#pragma once

#include <torch/nn/module.h>

#include <cstdint>

namespace llmctl {

struct RelativePositionsConfig {
  std::int64_t buckets = 32, max_distance = 128, heads = 0;
  bool bidirectional = false;  ///< half of the buckets are for tokens that come later
};

/// The bucket of the distance `key - query`: small ones each have their own, larger ones share
/// buckets that widen with the logarithm up to max_distance, beyond which all share the last.
std::int64_t relative_bucket(const RelativePositionsConfig& config, std::int64_t distance);

/// A learned bias for each bucket and head: `weight` [buckets, H].
class RelativePositions : public torch::nn::Module {
 public:
  RelativePositions(const RelativePositionsConfig& config, const at::TensorOptions& options);

  /// Queries at `places` [B or 1, T] (int64, on the CPU), keys at 0 … keys-1 → [B or 1, H, T, S]
  /// fp32 on the weight's device.
  at::Tensor bias(const at::Tensor& places, std::int64_t keys) const;

  at::Tensor weight;

 private:
  RelativePositionsConfig config_;
};

}  // namespace llmctl
