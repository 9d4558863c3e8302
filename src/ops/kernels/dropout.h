// Elements set to zero by counter-based draws, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// Elements that share the draws of eight consecutive counters of Philox4x32-10: of element i,
/// counter 8·(i / 32) + (i % 16) / 2 and its word 2·(i % 32 / 16) + i % 2.
inline constexpr std::int64_t kDropBlock = 32;

struct Drop {
  std::uint64_t key = 0;
  std::int32_t threshold = 0;  ///< an element whose draw's upper 31 bits are below becomes zero
  float scale = 1;             ///< of the others
};

/// Elements from `begin` (a multiple of kDropBlock) to `end` of y from those of x.
void drop(const Drop& drop, const float* x, float* y, std::int64_t begin, std::int64_t end);

}  // namespace llmctl::kernels
