// What the CPU kernels share: a version per instruction set chosen at load time, and an exponential
// that the compiler vectorises. Private to ops/.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cstdint>

/// Before a function of plain loops: compiled for AVX-512, AVX2 and the baseline. (Sanitizers run
/// before the choice could be made, so they get the baseline.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LLMCTL_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LLMCTL_SIMD
#endif

namespace llmctl::simd {

/// Independent partial sums of a reduction: enough for one register of the widest instruction set.
inline constexpr std::int64_t kLanes = 16;

/// e^x for |x| up to 88 within 2 units in the last place, saturating outside: 2^n times a
/// polynomial on [-ln2/2, ln2/2] (Cephes' expf).
inline __attribute__((always_inline)) float exp(float x) {
  x = std::min(std::max(x, -87.0f), 88.0f);
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float n = (x * 1.44269504088896341f + kRound) - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) << 23;
  return p * std::bit_cast<float>(bits);
}

/// Rows that one task of at::parallel_for takes at least, so that it is worth waking a thread.
inline std::int64_t row_grain(std::int64_t columns) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(columns, 1));
}

}  // namespace llmctl::simd
