#include "ops/kernels/matmul_panels.h"

#include "ops/kernels/matmul_blocks.h"

#if defined(__x86_64__)

// GCC 12 warns of its own intrinsics' undefined operands.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <hwy/base.h>
#include <immintrin.h>

#include <vector>

#define LLMCTL_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,fma,avx512vnni")))

namespace llmctl::kernels {
namespace {

// A vector holds four inputs' numbers of 16 outputs, so that a block's integers become one number
// of each output without a sum over lanes.
constexpr int kLanes = 16, kVectors = 2, kOutputs = kVectors * kLanes, kRows = 6;
constexpr std::int64_t kFours = kBlock / 4;

/// The weight's rows from `output` on, at most kOutputs: [fours, kVectors, kLanes, 4], as w + 128.
/// What lies behind the last input meets inputs of 0, and behind the last output is not stored.
void pack(const WeightView& weight, std::int64_t output, std::int64_t outputs,
          std::uint8_t* panel) {
  const std::int64_t fours = weight.inputs / 4, rest = weight.inputs % 4;
  const auto put = [&](const std::byte* from, std::int64_t count, std::uint8_t* to) {
    std::uint32_t numbers = 0;
    std::memcpy(&numbers, from, static_cast<std::size_t>(count));
    numbers ^= 0x80808080u;
    std::memcpy(to, &numbers, 4);
  };
  for (std::int64_t lane = 0; lane < outputs; ++lane) {
    const std::byte* const row =
        static_cast<const std::byte*>(weight.values) + (output + lane) * weight.inputs;
    std::uint8_t* const to = panel + 4 * lane;
    for (std::int64_t four = 0; four < fours; ++four) {
      put(row + 4 * four, 4, to + four * 4 * kOutputs);
    }
    if (rest > 0) put(row + 4 * fours, rest, to + fours * 4 * kOutputs);
  }
}

/// M rows from `row` on with the outputs from `output` on.
template <int M>
LLMCTL_VNNI void tile(const Product& product, const std::uint8_t* panel, std::int64_t row,
                      std::int64_t output, std::int64_t outputs) {
  const RoundedRow shape(product.weight.inputs);
  const std::byte* x[M];
  __m512 sums[M][kVectors];
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    x[m] = input_row(product, row + m);
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) sums[m][v] = _mm512_setzero_ps();
  }
  for (std::int64_t b = 0; b < shape.blocks; ++b) {
    __m512i whole[M][kVectors];
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) whole[m][v] = _mm512_set1_epi32(shape.sums(x[m])[b]);
    }
    for (std::int64_t four = b * kFours; four < (b + 1) * kFours; ++four, panel += 4 * kOutputs) {
      __m512i weight[kVectors];
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) {
        weight[v] = _mm512_loadu_si512(panel + v * 4 * kLanes);
      }
      HWY_UNROLL(8)
      for (int m = 0; m < M; ++m) {
        const __m512i input = _mm512_set1_epi32(load_unaligned<std::int32_t>(x[m], four));
        HWY_UNROLL(8)
        for (int v = 0; v < kVectors; ++v) {
          whole[m][v] = _mm512_dpbusd_epi32(whole[m][v], weight[v], input);
        }
      }
    }
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      const __m512 scale = _mm512_set1_ps(shape.scales(x[m])[b]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) {
        sums[m][v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[m][v]), scale, sums[m][v]);
      }
    }
  }
  HWY_UNROLL(8)
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t first = v * kLanes, left = outputs - first;
    const auto mask = static_cast<__mmask16>(left >= kLanes ? 0xFFFF
                                             : left > 0     ? (1 << left) - 1
                                                            : 0);
    const auto* const scales = static_cast<const std::byte*>(product.weight.scales);
    const __m512 scale = _mm512_maskz_loadu_ps(mask, scales + (output + first) * 4);
    const __m512 bias = product.bias ? _mm512_maskz_loadu_ps(mask, product.bias + output + first)
                                     : _mm512_setzero_ps();
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      float* const y = product.y + (row + m) * product.y_stride + output + first;
      _mm512_mask_storeu_ps(y, mask, _mm512_fmadd_ps(sums[m][v], scale, bias));
    }
  }
}

template <int M>
void tile_of(std::int64_t rows, const Product& product, const std::uint8_t* panel, std::int64_t row,
             std::int64_t output, std::int64_t outputs) {
  if constexpr (M > 0) {
    if (rows == M) return tile<M>(product, panel, row, output, outputs);
    tile_of<M - 1>(rows, product, panel, row, output, outputs);
  }
}

}  // namespace

bool has_panel_products(Form form) {
  return form == Form::kInt8 && multiplies_as_fast_as_fp32(form);
}

void multiply_by_panels(const Product& product, std::int64_t begin, std::int64_t end) {
  const RoundedRow shape(product.weight.inputs);
  std::vector<std::uint8_t> panel(static_cast<std::size_t>(shape.blocks * kBlock * kOutputs));
  const std::int64_t tiles = (product.rows + kRows - 1) / kRows;
  for (std::int64_t output = begin; output < end; output += kOutputs) {
    const std::int64_t outputs = std::min<std::int64_t>(kOutputs, end - output);
    pack(product.weight, output, outputs, panel.data());
    std::int64_t row = 0;
    for (std::int64_t left = tiles; left > 0; --left) {
      const std::int64_t rows = (product.rows - row + left - 1) / left;
      tile_of<kRows>(rows, product, panel.data(), row, output, outputs);
      row += rows;
    }
  }
}

}  // namespace llmctl::kernels

#else

namespace llmctl::kernels {

bool has_panel_products(Form) {
  return false;
}
void multiply_by_panels(const Product&, std::int64_t, std::int64_t) {}

}  // namespace llmctl::kernels

#endif
