#include "ops/kernels/matmul_panels.h"

#include "ops/kernels/matmul_blocks.h"

#if defined(__x86_64__)

#include <vector>

#include "ops/kernels/x86_targets.h"

namespace llmctl::kernels {
namespace {

// A vector holds four inputs' numbers of 16 outputs, so that a group's integers become one number
// of each output without a sum over lanes. A group: inputs of one scale, of kInt8 a block.
constexpr int kLanes = 16, kVectors = 2, kOutputs = kVectors * kLanes, kRows = 6;

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

/// The weight's rows from `output` on, at most kOutputs. What lies behind the last input meets
/// inputs of 0, and what lies behind the last output is not stored.
void pack_int8(const WeightView& weight, std::int64_t output, std::int64_t outputs, Panel& panel) {
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
    std::uint8_t* const to = panel.values.data() + 4 * lane;
    for (std::int64_t four = 0; four < fours; ++four) {
      put(row + 4 * four, 4, to + four * 4 * kOutputs);
    }
    if (rest > 0) put(row + 4 * fours, rest, to + fours * 4 * kOutputs);
  }
}

void pack_int4(const WeightView& weight, std::int64_t output, std::int64_t outputs, Panel& panel) {
  const std::int64_t half = weight.group / 2, groups = groups_of(weight);
  for (std::int64_t lane = 0; lane < outputs; ++lane) {
    const std::byte* from =
        static_cast<const std::byte*>(weight.values) + (output + lane) * groups * half;
    std::uint8_t* to = panel.values.data() + 4 * lane;
    for (std::int64_t group = 0; group < groups; ++group, to += half * kOutputs) {
      for (std::int64_t i = 0; i < half; i += 4, from += 4, to += 4 * kOutputs) {
        const auto both = load_unaligned<std::uint32_t>(from, 0);
        const std::uint32_t low = both & 0x0F0F0F0Fu, high = both >> 4 & 0x0F0F0F0Fu;
        std::memcpy(to, &low, 4);
        std::memcpy(to + half * kOutputs, &high, 4);
      }
      const std::int64_t scale = (output + lane) * groups + group;
      panel.scales[static_cast<std::size_t>(group * kOutputs + lane)] =
          widen_bf16(load_unaligned<std::uint16_t>(weight.scales, scale));
    }
  }
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
    const std::int64_t first = v * kLanes, left = outputs - first;
    const auto mask = static_cast<__mmask16>(left >= kLanes ? 0xFFFF
                                             : left > 0     ? (1 << left) - 1
                                                            : 0);
    const auto* const scales = static_cast<const std::byte*>(product.weight.scales);
    const __m512 scale =
        kWhole ? _mm512_maskz_loadu_ps(mask, scales + (output + first) * 4) : _mm512_set1_ps(1);
    const __m512 bias = product.bias ? _mm512_maskz_loadu_ps(mask, product.bias + output + first)
                                     : _mm512_setzero_ps();
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      float* const y = product.y + (row + m) * product.y_stride + output + first;
      _mm512_mask_storeu_ps(y, mask, _mm512_fmadd_ps(sums[m][v], scale, bias));
    }
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
  const std::int64_t tiles = (product.rows + kRows - 1) / kRows;
  for (std::int64_t output = begin; output < end; output += kOutputs) {
    const std::int64_t outputs = std::min<std::int64_t>(kOutputs, end - output);
    if constexpr (kForm == Form::kInt8) {
      pack_int8(product.weight, output, outputs, panel);
    } else {
      pack_int4(product.weight, output, outputs, panel);
    }
    std::int64_t row = 0;
    for (std::int64_t left = tiles; left > 0; --left) {
      const std::int64_t rows = (product.rows - row + left - 1) / left;
      tile_of<kForm, kRows>(rows, product, panel, row, output, outputs);
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
