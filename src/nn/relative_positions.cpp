#include "nn/relative_positions.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace llmctl {

std::int64_t relative_bucket(const RelativePositionsConfig& config, std::int64_t distance) {
  std::int64_t buckets = config.buckets, first = 0;
  if (config.bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = std::max<std::int64_t>(-distance, 0);
  }
  const std::int64_t exact = buckets / 2;
  if (distance < exact) return first + distance;
  // In single precision, as the published code has it, so that borders fall alike.
  const float share = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(config.max_distance) /
                                                  static_cast<double>(exact))) *
                      static_cast<float>(buckets - exact);
  return first + std::min(exact + static_cast<std::int64_t>(share), buckets - 1);
}

RelativePositions::RelativePositions(const RelativePositionsConfig& config,
                                     const at::TensorOptions& options)
    : config_(config) {
  weight = register_parameter("weight", at::empty({config.buckets, config.heads}, options));
}

at::Tensor RelativePositions::bias(std::int64_t length) const {
  at::Tensor buckets = at::empty({1, length, length}, at::kLong);
  auto* bucket = buckets.mutable_data_ptr<std::int64_t>();
  for (std::int64_t query = 0; query < length; ++query) {
    for (std::int64_t key = 0; key < length; ++key) {
      *bucket++ = relative_bucket(config_, key - query);
    }
  }
  // [1, T, T, H] → [1, H, T, T]
  return at::embedding(weight.to(at::kFloat), buckets.to(weight.device())).permute({0, 3, 1, 2});
}

at::Tensor RelativePositions::distance_bias(std::int64_t distances) const {
  at::Tensor buckets = at::empty({distances}, at::kLong);
  auto* const bucket = buckets.mutable_data_ptr<std::int64_t>();
  for (std::int64_t back = 0; back < distances; ++back) {
    bucket[back] = relative_bucket(config_, -back);
  }
  // [distances, H] → [H, distances]
  return at::embedding(weight.to(at::kFloat), buckets.to(weight.device())).t().contiguous();
}

}  // namespace llmctl
