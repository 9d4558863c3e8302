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

  /// Queries and keys at 0 … length-1 → [1, H, T, T] fp32 on the weight's device.
  at::Tensor bias(std::int64_t length) const;
  /// Of keys 0 … distances-1 places before the query → [H, distances] fp32 likewise.
  at::Tensor distance_bias(std::int64_t distances) const;

  at::Tensor weight;

 private:
  RelativePositionsConfig config_;
};

}  // namespace llmctl
