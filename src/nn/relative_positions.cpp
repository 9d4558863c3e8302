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

at::Tensor RelativePositions::bias(const at::Tensor& places, std::int64_t keys) const {
  const std::int64_t rows = places.size(0), length = places.size(1);
  at::Tensor buckets = at::empty({rows, length, keys}, at::kLong);
  auto* bucket = buckets.mutable_data_ptr<std::int64_t>();
  const at::Tensor host = places.contiguous();
  const auto* place = host.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows * length; ++i) {
    for (std::int64_t key = 0; key < keys; ++key) {
      *bucket++ = relative_bucket(config_, key - place[i]);
    }
  }
  // [B, T, S, H] → [B, H, T, S]
  return at::embedding(weight.to(at::kFloat), buckets.to(weight.device())).permute({0, 3, 1, 2});
}

}  // namespace llmctl
