#include "ops/kernels/attention_x86.h"

#include "ops/kernels/attention.h"

#if defined(__x86_64__)

#include "ops/kernels/x86_targets.h"

namespace llmctl::kernels {
namespace {

constexpr int kLanes = 16, kStrip = 4;  // vectors of keys or columns at once
static_assert(kPage == kLanes, "a vector holds a page's keys");

LLMCTL_BF16 LLMCTL_INLINE __m512bh broadcast(std::uint32_t pair) {
  return (__m512bh)_mm512_set1_epi32(static_cast<int>(pair));
}

template <int M>
LLMCTL_BF16 void score(const PairBlock& block, const std::uint32_t* queries, std::int64_t begin,
                       std::int64_t end, float* scores) {
  const std::int64_t pairs = block.head_size / 2;
  constexpr std::int64_t kKeys = kStrip * kLanes;
  for (std::int64_t j = begin / kKeys * kKeys; j < end; j += kKeys) {
    const std::uint16_t* const* const keys = block.keys + j / kPage;
    const std::uint16_t* const* const next = block.values + j / kPage;
    __m512 sums[M][kStrip];
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(8)
      for (int v = 0; v < kStrip; ++v) sums[m][v] = _mm512_setzero_ps();
    }
    for (std::int64_t k = 0; k < pairs; ++k) {
      __m512bh key[kStrip];
      HWY_UNROLL(8)
      for (int v = 0; v < kStrip; ++v) {
        if (block.prefetch) {
          _mm_prefetch(reinterpret_cast<const char*>(next[v] + 2 * kLanes * k), _MM_HINT_T0);
        }
        key[v] = (__m512bh)_mm512_loadu_si512(keys[v] + 2 * kLanes * k);
      }
      HWY_UNROLL(8)
      for (int m = 0; m < M; ++m) {
        const __m512bh query = broadcast(queries[m * pairs + k]);
        HWY_UNROLL(8)
        for (int v = 0; v < kStrip; ++v) sums[m][v] = _mm512_dpbf16_ps(sums[m][v], key[v], query);
      }
    }
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(8)
      for (int v = 0; v < kStrip; ++v) {
        _mm512_storeu_ps(scores + m * kPairBlock + j + v * kLanes, sums[m][v]);
      }
    }
  }
}

/// Of N vectors of columns from `column` on, of which the last one has `some`.
template <int M, int N>
LLMCTL_BF16 LLMCTL_INLINE void add_columns(const PairBlock& block, const std::uint32_t* weights,
                                           std::int64_t begin, std::int64_t end, float* outputs,
                                           std::int64_t stride, std::int64_t column,
                                           std::int64_t some) {
  const auto lanes = static_cast<__mmask16>((1u << some) - 1);
  __m512 sums[M][N];
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(8)
    for (int v = 0; v < N; ++v) {
      sums[m][v] = _mm512_loadu_ps(outputs + m * stride + column + v * kLanes);
    }
  }
  for (std::int64_t pair = begin / 2; pair < (end + 1) / 2; ++pair) {
    const std::int64_t at = pair % (kPage / 2) * 2 * block.head_size + 2 * column;
    const std::uint16_t* const values = block.values[2 * pair / kPage] + at;
    const std::uint16_t* const next = block.next_keys[2 * pair / kPage] + at;
    // Of a pair's two keys the lower half of each word is the first one's.
    const int meant = 2 * pair < begin ? -65536 : 2 * pair + 1 == end ? 0xFFFF : -1;
    __m512bh value[N];
    HWY_UNROLL(8)
    for (int v = 0; v < N; ++v) {
      if (block.prefetch) {
        _mm_prefetch(reinterpret_cast<const char*>(next + 2 * kLanes * v), _MM_HINT_T0);
      }
      const __m512i words = v + 1 < N || some == kLanes
                                ? _mm512_loadu_si512(values + 2 * kLanes * v)
                                : _mm512_maskz_loadu_epi32(lanes, values + 2 * kLanes * v);
      value[v] =
          (__m512bh)(meant == -1 ? words : _mm512_and_si512(words, _mm512_set1_epi32(meant)));
    }
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      const __m512bh weight = broadcast(weights[m * (kPairBlock / 2) + pair]);
      HWY_UNROLL(8)
      for (int v = 0; v < N; ++v) sums[m][v] = _mm512_dpbf16_ps(sums[m][v], value[v], weight);
    }
  }
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(8)
    for (int v = 0; v < N; ++v) {
      _mm512_storeu_ps(outputs + m * stride + column + v * kLanes, sums[m][v]);
    }
  }
}

template <int M>
LLMCTL_BF16 void add(const PairBlock& block, const std::uint32_t* weights, std::int64_t begin,
                     std::int64_t end, float* outputs, std::int64_t stride) {
  const std::int64_t size = block.head_size;
  std::int64_t column = 0;
  for (; column + kStrip * kLanes <= size; column += kStrip * kLanes) {
    add_columns<M, kStrip>(block, weights, begin, end, outputs, stride, column, kLanes);
  }
  for (; column < size; column += kLanes) {
    const std::int64_t some = size - column < kLanes ? size - column : kLanes;
    add_columns<M, 1>(block, weights, begin, end, outputs, stride, column, some);
  }
}

}  // namespace

void score_pairs(int rows, const PairBlock& block, const std::uint32_t* queries, std::int64_t begin,
                 std::int64_t end, float* scores) {
  switch (rows) {
    case 1:
      return score<1>(block, queries, begin, end, scores);
    case 2:
      return score<2>(block, queries, begin, end, scores);
    case 3:
      return score<3>(block, queries, begin, end, scores);
    case 4:
      return score<4>(block, queries, begin, end, scores);
    case 5:
      return score<5>(block, queries, begin, end, scores);
    default:
      return score<6>(block, queries, begin, end, scores);
  }
}

void add_value_pairs(int rows, const PairBlock& block, const std::uint32_t* weights,
                     std::int64_t begin, std::int64_t end, float* outputs, std::int64_t stride) {
  if (begin >= end) return;
  switch (rows) {
    case 1:
      return add<1>(block, weights, begin, end, outputs, stride);
    case 2:
      return add<2>(block, weights, begin, end, outputs, stride);
    case 3:
      return add<3>(block, weights, begin, end, outputs, stride);
    case 4:
      return add<4>(block, weights, begin, end, outputs, stride);
    case 5:
      return add<5>(block, weights, begin, end, outputs, stride);
    default:
      return add<6>(block, weights, begin, end, outputs, stride);
  }
}

}  // namespace llmctl::kernels

#else

namespace llmctl::kernels {

void score_pairs(int, const PairBlock&, const std::uint32_t*, std::int64_t, std::int64_t, float*) {}
void add_value_pairs(int, const PairBlock&, const std::uint32_t*, std::int64_t, std::int64_t,
                     float*, std::int64_t) {}

}  // namespace llmctl::kernels

#endif
