#include "ops/kernels/matmul_x86.h"

#include "base/cpu.h"
#include "ops/kernels/matmul_blocks.h"

#if defined(__x86_64__)

#include "ops/kernels/x86_targets.h"

namespace llmctl::kernels {
namespace {

LLMCTL_AVX512 LLMCTL_INLINE __m256 add_halves(__m512 v) {
  const __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  return _mm256_add_ps(_mm512_castps512_ps256(v), upper);
}

/// The sum of each of four vectors, always in the same order.
LLMCTL_AVX512 LLMCTL_INLINE __m128 sum_each(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m256 ab = _mm256_hadd_ps(add_halves(a), add_halves(b));
  const __m256 cd = _mm256_hadd_ps(add_halves(c), add_halves(d));
  const __m256 all = _mm256_hadd_ps(ab, cd);
  return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

/// y = sum · scale + bias of a tile, by one operation wherever the compiler might make one of the
/// two; `scales` of the outputs or null.
template <int kOutputs, int kTile>
LLMCTL_AVX512 LLMCTL_INLINE void put(const Product& product, std::int64_t o, std::int64_t m,
                                     const __m512 (&sums)[kOutputs][kTile], const void* scales) {
  float scale[4], bias[4];
  HWY_UNROLL(8)
  for (int c = 0; c < kOutputs; ++c) {
    scale[c] = scales ? load_unaligned<float>(scales, o + c) : 1;
    bias[c] = product.bias ? product.bias[o + c] : 0;
  }
  float* const y = product.y + m * product.y_stride + o;
  if constexpr (kOutputs == 4) {
    const __m128 factors = _mm_loadu_ps(scale), addends = _mm_loadu_ps(bias);
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) {
      const __m128 four = sum_each(sums[0][r], sums[1][r], sums[2][r], sums[3][r]);
      _mm_storeu_ps(y + r * product.y_stride, _mm_fmadd_ps(four, factors, addends));
    }
  } else {
    for (int c = 0; c < kOutputs; ++c) {
      for (int r = 0; r < kTile; r += 4) {
        const auto of = [&](int k) -> const __m512& { return sums[c][std::min(r + k, kTile - 1)]; };
        alignas(16) float four[4];
        _mm_store_ps(four, _mm_fmadd_ps(sum_each(of(0), of(1), of(2), of(3)), _mm_set1_ps(scale[c]),
                                        _mm_set1_ps(bias[c])));
        for (int k = 0; k < 4 && r + k < kTile; ++k) y[(r + k) * product.y_stride + c] = four[k];
      }
    }
  }
}

LLMCTL_INLINE void fetch(const std::byte* from) {
  _mm_prefetch(static_cast<const char*>(ahead_of(from)), _MM_HINT_T0);
}

struct Bf16 {
  static constexpr int kRows = 6, kFew = 6, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  LLMCTL_BF16 LLMCTL_INLINE static void step(const std::byte* const (&w)[kOutputs],
                                             const std::byte* const (&x)[kTile], std::int64_t at,
                                             __m512 (&sums)[kOutputs][kTile]) {
    __m512bh inputs[kTile];
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) inputs[r] = (__m512bh)_mm512_loadu_si512(x[r] + at);
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c]);
      const __m512bh weight = (__m512bh)_mm512_loadu_si512(w[c]);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        sums[c][r] = _mm512_dpbf16_ps(sums[c][r], weight, inputs[r]);
      }
    }
  }

  template <int kOutputs, int kTile>
  LLMCTL_BF16 static void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const std::int64_t bytes = 2 * product.weight.inputs;
    const std::byte *w[kOutputs], *x[kTile];
    __m512 sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = _mm512_setzero_ps();
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = input_row(product, m + r);
    std::int64_t at = 0;
    for (; at + 64 <= bytes; at += 64) {
      step(w, x, at, sums);
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) w[c] += 64;
    }
    if (at < bytes) {
      std::byte rest[kOutputs][64] = {};
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        std::memcpy(rest[c], w[c], static_cast<std::size_t>(bytes - at));
        w[c] = rest[c];
      }
      step(w, x, at, sums);
    }
    put(product, o, m, sums, nullptr);
  }
};

struct Int8 {
  static constexpr int kRows = 4, kFew = 6, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  LLMCTL_VNNI LLMCTL_INLINE static void step(const std::byte* const (&w)[kOutputs],
                                             const std::byte* const (&x)[kTile],
                                             const RoundedRow& shape, std::int64_t b,
                                             __m512 (&sums)[kOutputs][kTile]) {
    // The instruction takes unsigned numbers times signed ones: w + 128, whose surplus the
    // block's sum takes off.
    const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
    __m512i first[kOutputs], second[kOutputs];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c]);
      fetch(w[c] + 64);
      first[c] = _mm512_xor_si512(_mm512_loadu_si512(w[c]), sign);
      second[c] = _mm512_xor_si512(_mm512_loadu_si512(w[c] + 64), sign);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) {
      const std::int8_t* const values = shape.values(x[r]) + b * kBlock;
      const __m512i a = _mm512_load_si512(values), z = _mm512_load_si512(values + 64);
      const __m512i start = _mm512_castsi128_si512(_mm_cvtsi32_si128(shape.sums(x[r])[b]));
      const __m512i zeroed = _mm512_zextsi128_si512(_mm512_castsi512_si128(start));
      const __m512 scale = _mm512_set1_ps(shape.scales(x[r])[b]);
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        __m512i whole = _mm512_dpbusd_epi32(zeroed, first[c], a);
        whole = _mm512_dpbusd_epi32(whole, second[c], z);
        sums[c][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), scale, sums[c][r]);
      }
    }
  }

  template <int kOutputs, int kTile>
  LLMCTL_VNNI static void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const std::int64_t inputs = product.weight.inputs;
    const RoundedRow shape(inputs);
    const std::byte *w[kOutputs], *x[kTile];
    __m512 sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = _mm512_setzero_ps();
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = input_row(product, m + r);
    const std::int64_t whole = inputs / kBlock;
    for (std::int64_t b = 0; b < whole; ++b) {
      step(w, x, shape, b, sums);
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) w[c] += kBlock;
    }
    if (whole < shape.blocks) {
      std::byte rest[kOutputs][kBlock];
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) w[c] = last_block(product.weight, w[c], o + c, rest[c]);
      step(w, x, shape, whole, sums);
    }
    put(product, o, m, sums, product.weight.scales);
  }
};

/// A block is 64 bytes of the weight, whose low and high halves are two vectors of numbers.
struct Int4 {
  static constexpr int kRows = 4, kFew = 2, kFewOutputs = 1;

  /// bf16 scales of a block's groups, each to the lanes of its group.
  template <int kGroup>
  LLMCTL_VNNI LLMCTL_INLINE static __m512 spread(std::uint64_t scales) {
    const __m512i all = _mm512_set1_epi64(static_cast<long long>(scales));
    // 0x80 clears a byte; the lanes of 128 bits choose among their own, which are alike.
    const auto both = [](int group) {
      const std::uint32_t bytes = static_cast<std::uint32_t>(2 * group) << 16 |
                                  static_cast<std::uint32_t>(2 * group + 1) << 24 | 0x8080u;
      return static_cast<int>(bytes);
    };
    constexpr int kStep = kGroup == 32 ? 1 : 2;
    const int g[4] = {both(0), both(1 / kStep), both(2 / kStep), both(3 / kStep)};
    const __m512i choice = _mm512_setr_epi32(g[0], g[0], g[0], g[0], g[1], g[1], g[1], g[1], g[2],
                                             g[2], g[2], g[2], g[3], g[3], g[3], g[3]);
    return _mm512_castsi512_ps(_mm512_shuffle_epi8(all, choice));
  }

  template <int kGroup, int kOutputs, int kTile>
  LLMCTL_VNNI LLMCTL_INLINE static void step(const std::byte* const (&w)[kOutputs],
                                             const std::uint64_t (&scales)[kOutputs],
                                             const std::byte* const (&x)[kTile],
                                             const RoundedRow& shape, std::int64_t b,
                                             __m512 (&sums)[kOutputs][kTile]) {
    const __m512i mask = _mm512_set1_epi8(15);
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c]);
      const __m512i packed = _mm512_loadu_si512(w[c]);
      const __m512i low = _mm512_and_si512(packed, mask);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask);
      const __m512 scale = spread<kGroup>(scales[c]);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        const std::int8_t* const values = shape.values(x[r]) + b * kBlock;
        __m512i whole = _mm512_load_si512(shape.sums(x[r]) + b * 16);
        whole = _mm512_dpbusd_epi32(whole, low, _mm512_load_si512(values));
        whole = _mm512_dpbusd_epi32(whole, high, _mm512_load_si512(values + 64));
        const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(shape.scales(x[r])[b]));
        sums[c][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), both, sums[c][r]);
      }
    }
  }

  template <int kGroup, int kOutputs, int kTile>
  LLMCTL_VNNI LLMCTL_INLINE static void tile_of_groups(const Product& product, std::int64_t o,
                                                       std::int64_t m) {
    constexpr std::int64_t kScaleBytes = kBlock / kGroup * 2;
    const RoundedRow shape(product.weight.inputs);
    const std::byte *w[kOutputs], *s[kOutputs], *x[kTile];
    std::uint64_t scales[kOutputs];
    __m512 sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      s[c] = row_scales<kGroup>(product.weight, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = _mm512_setzero_ps();
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = input_row(product, m + r);
    const std::int64_t whole = product.weight.inputs / kBlock;
    for (std::int64_t b = 0; b < whole; ++b) {
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        scales[c] = 0;
        std::memcpy(&scales[c], s[c] + b * kScaleBytes, kScaleBytes);
      }
      step<kGroup>(w, scales, x, shape, b, sums);
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) w[c] += kBlock / 2;
    }
    if (whole < shape.blocks) {
      std::byte rest[kOutputs][kBlock / 2];
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        w[c] = last_block(product.weight, w[c], o + c, rest[c]);
        scales[c] = last_scales<kGroup>(product.weight, o + c);
      }
      step<kGroup>(w, scales, x, shape, whole, sums);
    }
    put(product, o, m, sums, nullptr);
  }

  template <int kOutputs, int kTile>
  LLMCTL_VNNI static void tile(const Product& product, std::int64_t o, std::int64_t m) {
    if (product.weight.group == 32) {
      tile_of_groups<32, kOutputs, kTile>(product, o, m);
    } else {
      tile_of_groups<64, kOutputs, kTile>(product, o, m);
    }
  }
};

LLMCTL_BF16 void round_to_bf16(const float* x, std::int64_t inputs, std::byte* prepared) {
  for (std::int64_t i = 0; i < inputs; i += 32, prepared += 64) {
    const auto mask = [&](std::int64_t at) {
      const std::int64_t left = std::clamp<std::int64_t>(inputs - at, 0, 16);
      return static_cast<__mmask16>((1u << left) - 1);
    };
    const __m512 a = _mm512_maskz_loadu_ps(mask(i), x + i);
    const __m512 b = _mm512_maskz_loadu_ps(mask(i + 16), x + i + 16);
    _mm512_storeu_si512(prepared, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
}

}  // namespace

bool has_avx512_products(Form form) {
  const CpuFeatures& cpu = cpu_features();
  switch (form) {
    case Form::kFp32:
      return false;
    case Form::kBf16:
      return cpu.avx512_bf16;
    default:
      return cpu.avx512_vnni;
  }
}

bool has_avx2_products(Form form) {
  return cpu_features().avx2 && (form == Form::kInt8 || form == Form::kInt4);
}

std::size_t x86_bf16_bytes(const WeightView& weight) {
  return static_cast<std::size_t>(weight.inputs + 31) / 32 * 64;
}

void avx512_multiply(const Product& product, std::int64_t begin, std::int64_t end) {
  switch (product.weight.form) {
    case Form::kFp32:
      return;
    case Form::kBf16:
      return multiply_in_tiles<Bf16>(product, begin, end);
    case Form::kInt8:
      return multiply_in_tiles<Int8>(product, begin, end);
    case Form::kInt4:
      return multiply_in_tiles<Int4>(product, begin, end);
  }
}

void x86_round_to_bf16(const float* x, std::int64_t inputs, std::byte* prepared) {
  round_to_bf16(x, inputs, prepared);
}

void x86_arrange(const WeightView& weight, std::byte* row) {
  const RoundedRow shape(weight.inputs);
  std::int8_t* values = shape.values(row);
  std::int32_t* sums = shape.sums(row);
  const std::int64_t group = weight.group, half = group / 2;
  for (std::int64_t b = 0; b < shape.blocks; ++b, values += kBlock) {
    if (weight.form == Form::kInt8) {
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < kBlock; ++i) sum += values[i];
      sums[b] = -128 * sum;
      continue;
    }
    // First halves of the groups, then second ones; the weight's numbers stand for themselves + 8.
    std::int8_t before[kBlock];
    std::memcpy(before, values, kBlock);
    std::memset(sums, 0, RoundedRow::kSumBytes);
    for (std::int64_t g = 0; g < kBlock / group; ++g) {
      std::memcpy(values + g * half, before + g * group, static_cast<std::size_t>(half));
      std::memcpy(values + 64 + g * half, before + g * group + half,
                  static_cast<std::size_t>(half));
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < group; ++i) sum += before[g * group + i];
      sums[g * group / 8] = -8 * sum;
    }
    sums += 16;
  }
}

}  // namespace llmctl::kernels

#else

namespace llmctl::kernels {

bool has_avx512_products(Form) {
  return false;
}
bool has_avx2_products(Form) {
  return false;
}
void avx512_multiply(const Product&, std::int64_t, std::int64_t) {}
std::size_t x86_bf16_bytes(const WeightView&) {
  return 0;
}
void x86_round_to_bf16(const float*, std::int64_t, std::byte*) {}
void x86_arrange(const WeightView&, std::byte*) {}

}  // namespace llmctl::kernels
#endif
