// Rotary position embedding (Su et al., 2021) in the layout of Hugging Face's files ("rotate
// half").
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace llmctl {

/// Cosines and sines of position · frequency: positions [T] or [B, T], inverse_frequencies [K/2],
/// or those of each position, [T, K/2] or [B, T, K/2], fp32 → two [T, K/2] or [B, T, K/2] fp32,
/// times `scale`.
std::pair<at::Tensor, at::Tensor> rotary_angles(const at::Tensor& positions,
                                                const at::Tensor& inverse_frequencies,
                                                double scale = 1.0);

/// x [B, T, H, K] with component j of the first half turned together with component j of the second
/// half; cosines and sines from rotary_angles(). The result is fp32 (fp64 for fp64 inputs) and
/// contiguous.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines);

}  // namespace llmctl
