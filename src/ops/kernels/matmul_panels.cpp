#include "ops/kernels/matmul_panels.h"

#include "ops/kernels/matmul_amx.h"
#include "ops/kernels/matmul_blocks.h"

#if defined(__x86_64__)

#include <vector>

#include "ops/kernels/matmul_outputs.h"
#include "ops/kernels/x86_targets.h"

namespace llmctl::kernels {
namespace {

// A vector holds four inputs' numbers of 16 outputs, so that a group's integers become one number
// of each output without a sum over lanes. A group: inputs of one scale, of kInt8 a block.
constexpr int kLanes = 16, kVectors = 2, kOutputs = kVectors * kLanes, kRows = 6;
static_assert(kOutputs == kTallOutputs);

struct Panel {
  std::vector<std::uint8_t> values;  // [groups, fours of a group, kVectors, kLanes, 4], unsigned
  std::vector<float> scales;         // of kInt4: [groups, kVectors, kLanes]
};

std::int64_t group_of(const WeightView& weight) {
  return weight.form == Form::kInt8 ? kBlock : weight.group;
}
std::int64_t groups_of(const WeightView& weight) {
  return (weight.inputs + group_of(weight) - 1) / group_of(weight);
}

/// Lines of 16 numbers of four bytes become columns.
LLMCTL_VNNI LLMCTL_INLINE void transpose(__m512i (&lines)[kLanes]) {
  __m512i pairs[kLanes], fours[kLanes];
  HWY_UNROLL(8)
  for (int i = 0; i < kLanes; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(lines[i], lines[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(lines[i], lines[i + 1]);
  }
  // Of four lines, column i % 4 of each part of 128 bits.
  HWY_UNROLL(4)
  for (int i = 0; i < kLanes; i += 4) {
    fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  HWY_UNROLL(4)
  for (int i = 0; i < 4; ++i) {
    const __m512i even0 = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0x88);
    const __m512i odd0 = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0xDD);
    const __m512i even1 = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0x88);
    const __m512i odd1 = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0xDD);
    lines[i] = _mm512_shuffle_i32x4(even0, even1, 0x88);
    lines[i + 4] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
    lines[i + 8] = _mm512_shuffle_i32x4(even0, even1, 0xDD);
    lines[i + 12] = _mm512_shuffle_i32x4(odd0, odd1, 0xDD);
  }
}

/// Calls put(i, v, column) with four bytes, the i-th ones, of each of 16 of the `outputs` rows that
/// begin at `from`, of `bytes` each; 0 where there are none.
template <class Put>
LLMCTL_VNNI LLMCTL_INLINE void for_each_column(const std::byte* from, std::int64_t bytes,
                                               std::int64_t outputs, const Put& put) {
  for (int v = 0; v < kVectors; ++v) {
    for (std::int64_t first = 0; first < bytes; first += 64) {
      const std::int64_t left = std::min<std::int64_t>(bytes - first, 64);
      const __mmask64 mask = ~__mmask64{0} >> (64 - left);
      __m512i lines[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        const std::int64_t row = v * kLanes + lane;
        lines[lane] = row < outputs ? _mm512_maskz_loadu_epi8(mask, from + row * bytes + first)
                                    : _mm512_setzero_si512();
      }
      transpose(lines);
      for (std::int64_t i = 0; i < (left + 3) / 4; ++i) put(first / 4 + i, v, lines[i]);
    }
  }
}

/// The weight's rows from `output` on, at most kOutputs. What lies behind the last input meets
/// inputs of 0, and what lies behind the last output is not stored.
LLMCTL_VNNI void pack_int8(const WeightView& weight, std::int64_t output, std::int64_t outputs,
                           Panel& panel) {
  const auto* const rows = static_cast<const std::byte*>(weight.values) + output * weight.inputs;
  const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
  for_each_column(rows, weight.inputs, outputs,
                  [&](std::int64_t four, int v, __m512i column) LLMCTL_VNNI {
                    _mm512_storeu_si512(panel.values.data() + 4 * (four * kOutputs + v * kLanes),
                                        _mm512_xor_si512(column, sign));
                  });
}

LLMCTL_VNNI void pack_int4(const WeightView& weight, std::int64_t output, std::int64_t outputs,
                           Panel& panel) {
  const std::int64_t groups = groups_of(weight), half = weight.group / 2;
  const std::int64_t fours = half / 4;  // of half a group
  const auto* const rows = static_cast<const std::byte*>(weight.values) + output * groups * half;
  const __m512i low = _mm512_set1_epi8(0x0F);
  for_each_column(
      rows, groups * half, outputs, [&](std::int64_t i, int v, __m512i column) LLMCTL_VNNI {
        const std::int64_t four = i / fours * 2 * fours + i % fours;
        std::uint8_t* const to = panel.values.data() + 4 * (four * kOutputs + v * kLanes);
        _mm512_storeu_si512(to, _mm512_and_si512(column, low));
        _mm512_storeu_si512(to + 4 * fours * kOutputs,
                            _mm512_and_si512(_mm512_srli_epi32(column, 4), low));
      });
  // Two groups' scales lie in four bytes.
  const auto* const scales = static_cast<const std::byte*>(weight.scales) + output * groups * 2;
  for_each_column(scales, groups * 2, outputs,
                  [&](std::int64_t i, int v, __m512i column) LLMCTL_VNNI {
                    float* const to = panel.scales.data() + 2 * i * kOutputs + v * kLanes;
                    _mm512_storeu_si512(to, _mm512_slli_epi32(column, 16));
                    if (2 * i + 1 < groups) {
                      const __m512i high = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
                      _mm512_storeu_si512(to + kOutputs, _mm512_and_si512(column, high));
                    }
                  });
}

/// M rows from `row` on with the outputs from `output` on.
template <Form kForm, int M>
LLMCTL_VNNI void tile(const Product& product, const Panel& panel, std::int64_t row,
                      std::int64_t output, std::int64_t outputs) {
  constexpr bool kWhole = kForm == Form::kInt8;  // no weight's scale but the output's
  const RoundedRow shape(product.weight.inputs);
  const std::int64_t group = group_of(product.weight), groups = groups_of(product.weight);
  const std::int64_t in_block = kBlock / group;
  const std::int64_t run = kWhole ? group / 4 : group / 8;  // fours that lie together in a row
  const std::byte* x[M];
  __m512 sums[M][kVectors];
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    x[m] = input_row(product, row + m);
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) sums[m][v] = _mm512_setzero_ps();
  }
  const std::uint8_t* numbers = panel.values.data();
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t b = g / in_block, within = g % in_block;
    const std::int64_t start = kWhole ? b : b * kLanes + within * group / 8;
    __m512i whole[M][kVectors];
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) whole[m][v] = _mm512_set1_epi32(shape.sums(x[m])[start]);
    }
    // Of kInt4 first the first halves of all groups of a block, then the second ones.
    for (std::int64_t half = 0; half < (kWhole ? 1 : 2); ++half) {
      const std::int64_t first = b * kBlock / 4 + half * kBlock / 8 + within * run;
      for (std::int64_t four = first; four < first + run; ++four, numbers += 4 * kOutputs) {
        __m512i weight[kVectors];
        HWY_UNROLL(8)
        for (int v = 0; v < kVectors; ++v) {
          weight[v] = _mm512_loadu_si512(numbers + v * 4 * kLanes);
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
    }
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      const __m512 own = _mm512_set1_ps(shape.scales(x[m])[b]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) {
        const float* const scales = panel.scales.data() + g * kOutputs + v * kLanes;
        const __m512 scale = kWhole ? own : _mm512_mul_ps(own, _mm512_loadu_ps(scales));
        sums[m][v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[m][v]), scale, sums[m][v]);
      }
    }
  }
  HWY_UNROLL(8)
  for (int v = 0; v < kVectors; ++v) {
    const OutputLanes lanes(product, output + v * kLanes, outputs - v * kLanes);
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) lanes.put(row + m, sums[m][v]);
  }
}

template <Form kForm, int M>
void tile_of(std::int64_t rows, const Product& product, const Panel& panel, std::int64_t row,
             std::int64_t output, std::int64_t outputs) {
  if constexpr (M > 0) {
    if (rows == M) return tile<kForm, M>(product, panel, row, output, outputs);
    tile_of<kForm, M - 1>(rows, product, panel, row, output, outputs);
  }
}

template <Form kForm>
void multiply_by_panels_of(const Product& product, std::int64_t begin, std::int64_t end) {
  const auto numbers = static_cast<std::size_t>(groups_of(product.weight) * kOutputs);
  Panel panel;
  panel.values.resize(numbers * static_cast<std::size_t>(group_of(product.weight)));
  if (kForm == Form::kInt4) panel.scales.resize(numbers);
  const bool tall = kForm == Form::kInt8 && has_byte_tiles();
  const std::int64_t most = tall ? kTallRows : kRows;
  const std::int64_t tiles = (product.rows + most - 1) / most;
  const auto* const values = static_cast<const std::byte*>(product.weight.values);
  const auto row_bytes = static_cast<std::int64_t>(product.weight.row_bytes());
  for (std::int64_t output = begin; output < end; output += kOutputs) {
    const std::int64_t outputs = std::min<std::int64_t>(kOutputs, end - output);
    if constexpr (kForm == Form::kInt8) {
      pack_int8(product.weight, output, outputs, panel);
    } else {
      pack_int4(product.weight, output, outputs, panel);
    }
    // Meanwhile the next panel's rows come out of memory.
    const std::int64_t next = output + kOutputs, after = std::min(end, next + kOutputs);
    const std::byte* ahead = values + next * row_bytes;
    const std::int64_t lines = std::max<std::int64_t>(after - next, 0) * row_bytes / 64;
    std::int64_t row = 0;
    for (std::int64_t i = 0; i < tiles; ++i) {
      for (std::int64_t j = lines * (i + 1) / tiles - lines * i / tiles; j > 0; --j, ahead += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
      }
      const std::int64_t left = tiles - i, rows = (product.rows - row + left - 1) / left;
      if (tall) {
        multiply_tall_tile(product, panel.values.data(), row, rows, output, outputs);
      } else {
        tile_of<kForm, kRows>(rows, product, panel, row, output, outputs);
      }
      row += rows;
    }
  }
}

}  // namespace

bool has_panel_products(Form form) {
  return (form == Form::kInt8 || form == Form::kInt4) && multiplies_as_fast_as_fp32(form);
}

void multiply_by_panels(const Product& product, std::int64_t begin, std::int64_t end) {
  if (product.weight.form == Form::kInt8) {
    multiply_by_panels_of<Form::kInt8>(product, begin, end);
  } else {
    multiply_by_panels_of<Form::kInt4>(product, begin, end);
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
