// Rotary position embeddings (Su et al., 2021) and the ways in which they are stretched beyond the
// length of pretraining, as Hugging Face's "rope_scaling" names them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "nn/constant_table.h"

namespace llmctl {

enum class RopeKind { kDefault, kLinear, kDynamic, kYarn, kLlama3 };

struct RopeConfig {
  RopeKind kind = RopeKind::kDefault;
  double theta = 10000;
  double factor = 1;                           ///< all but default
  double low_freq_factor = 1;                  ///< llama3
  double high_freq_factor = 4;                 ///< llama3
  double beta_fast = 32, beta_slow = 1;        ///< yarn
  double attention_factor = 1;                 ///< yarn: scale of cosines and sines
  bool truncate = true;                        ///< yarn: whole dimensions bound the ramp
  std::int64_t original_max_positions = 2048;  ///< yarn, llama3: length of pretraining
  std::int64_t max_positions = 2048;           ///< dynamic: length up to which nothing is stretched
};

/// K/2 angular frequencies for heads of size K. `length` is that of the text, which counts for
/// dynamic scaling alone.
std::vector<double> inverse_frequencies(const RopeConfig& config, std::int64_t head_size,
                                        std::int64_t length);

/// Cosines and sines for positions [T] or [B, T]: two [T, K/2] or [B, T, K/2] fp32 on their device.
/// Dynamic scaling stretches each text by its own length: where positions fall, another text of the
/// row begins.
class RotaryEmbedding {
 public:
  RotaryEmbedding(const RopeConfig& config, std::int64_t head_size);
  /// `documents` (undefined: none) in the shape of the positions: another begins another text.
  std::pair<at::Tensor, at::Tensor> angles(const at::Tensor& positions,
                                           const at::Tensor& documents = {}) const;

 private:
  /// Frequencies of each position's own text [T, K/2] or [B, T, K/2], on the CPU; undefined where
  /// no text is long enough to be stretched.
  at::Tensor stretched(const at::Tensor& positions, const at::Tensor& documents) const;

  /// The same from a table of all positions up to a power of two: an angle's bits then depend on
  /// its position alone, and not on the place in a vector of the processor.
  std::pair<at::Tensor, at::Tensor> looked_up(const at::Tensor& positions) const;

  RopeConfig config_;
  std::int64_t head_size_;
  ConstantTable frequencies_;  // [K/2] fp32, of texts that are not stretched
  mutable std::mutex mutex_;
  mutable std::pair<at::Tensor, at::Tensor> table_;  // [positions, K/2]
};

}  // namespace llmctl
