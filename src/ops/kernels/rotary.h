// Rotation of fp32 heads by angles, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

struct Rotation {
  std::int64_t heads = 0, half = 0;                  ///< a token is [heads, 2·half]
  std::int64_t period = 1;                           ///< angles repeat after so many tokens
  float sign = 1;                                    ///< -1 turns back
  const float *cosines = nullptr, *sines = nullptr;  ///< [period, half]
};

/// The tokens from `begin` to `end` of x [tokens, heads, 2·half] turned into y.
void rotate(const Rotation& rotation, const float* x, float* y, std::int64_t begin,
            std::int64_t end);

}  // namespace llmctl::kernels
