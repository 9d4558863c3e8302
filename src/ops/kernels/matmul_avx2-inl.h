// Products of rows rounded to eight bits by 256-bit registers. Included once for AVX2 alone and
// once with AVX-VNNI, with LLMCTL_256, the functions' target, LLMCTL_256_NAME, their namespace, and
// LLMCTL_256_VNNI set; private to matmul_avx2.cpp.

namespace LLMCTL_256_NAME {

/// acc + u · s in fours, u of unsigned and s of signed bytes whose pairs of products sum to less
/// than 2¹⁵.
LLMCTL_256 LLMCTL_INLINE __m256i dot(__m256i acc, __m256i u, __m256i s) {
#if LLMCTL_256_VNNI
  return _mm256_dpbusd_avx_epi32(acc, u, s);
#else
  const __m256i pairs = _mm256_maddubs_epi16(u, s);
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

LLMCTL_256 LLMCTL_INLINE __m256i load(const void* from) {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}

LLMCTL_256 LLMCTL_INLINE __m256i load_unaligned_256(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

/// y = sum · scale + bias of one output, by one operation wherever the compiler might make one of
/// the two.
LLMCTL_256 LLMCTL_INLINE void put(const Product& product, std::int64_t row, std::int64_t output,
                                  __m256 sums, float scale) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  const __m128 one = _mm_add_ss(two, _mm_movehdup_ps(two));
  const __m128 bias = _mm_set_ss(product.bias ? product.bias[output] : 0);
  product.y[row * product.y_stride + output] =
      _mm_cvtss_f32(_mm_fmadd_ss(one, _mm_set_ss(scale), bias));
}

/// The sums of a tile live in memory: they are touched once for each block.
struct Int8 {
  static constexpr int kRows = 4, kFew = 2, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  LLMCTL_256 LLMCTL_INLINE static void step(const std::byte* const (&w)[kOutputs],
                                            const std::byte* const (&x)[kTile],
                                            const RoundedRow& shape, std::int64_t b,
                                            __m256 (&sums)[kOutputs][kTile]) {
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      __m256i whole[kTile];
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) whole[r] = _mm256_setzero_si256();
      fetch(w[c]);
      fetch(w[c] + 64);
      HWY_UNROLL(4)
      for (std::int64_t i = 0; i < kBlock; i += 32) {
        const __m256i weight = load_unaligned_256(w[c] + i);
        const __m256i magnitude = _mm256_abs_epi8(weight);
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) {
          // The instruction takes unsigned numbers times signed ones.
          const __m256i input = _mm256_sign_epi8(load(shape.values(x[r]) + b * kBlock + i), weight);
          whole[r] = dot(whole[r], magnitude, input);
        }
      }
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        sums[c][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole[r]),
                                     _mm256_set1_ps(shape.scales(x[r])[b]), sums[c][r]);
      }
    }
  }

  template <int kOutputs, int kTile>
  LLMCTL_256 static void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const RoundedRow shape(product.weight.inputs);
    const std::byte *w[kOutputs], *x[kTile];
    __m256 sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = _mm256_setzero_ps();
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = input_row(product, m + r);
    const std::int64_t whole = product.weight.inputs / kBlock;
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
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      const float scale = load_unaligned<float>(product.weight.scales, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) put(product, m + r, o + c, sums[c][r], scale);
    }
  }
};

/// Of rows that x86_arrange() has arranged.
struct Int4 {
  static constexpr int kRows = 4, kFew = 1, kFewOutputs = 1;

  /// Of a half of a block, the bf16 scales of its groups, each to the lanes of its group.
  template <int kGroup>
  LLMCTL_256 LLMCTL_INLINE static __m256 spread(std::uint64_t scales, int half) {
    const __m128i four = _mm_cvtepu16_epi32(_mm_cvtsi64_si128(static_cast<long long>(scales)));
    const __m256i wide = _mm256_castsi128_si256(_mm_slli_epi32(four, 16));
    const int first = kGroup == 32 ? 2 * half : half, second = kGroup == 32 ? first + 1 : first;
    const __m256i lanes =
        _mm256_setr_epi32(first, first, first, first, second, second, second, second);
    return _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(wide, lanes));
  }

  template <int kGroup, int kOutputs, int kTile>
  LLMCTL_256 LLMCTL_INLINE static void step(const std::byte* const (&w)[kOutputs],
                                            const std::uint64_t (&scales)[kOutputs],
                                            const std::byte* const (&x)[kTile],
                                            const RoundedRow& shape, std::int64_t b,
                                            __m256 (&sums)[kOutputs][kTile]) {
    const __m256i mask = _mm256_set1_epi8(15);
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c]);
      HWY_UNROLL(2)
      for (int half = 0; half < 2; ++half) {
        const __m256i packed = load_unaligned_256(w[c] + 32 * half);
        const __m256i low = _mm256_and_si256(packed, mask);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask);
        const __m256 scale = spread<kGroup>(scales[c], half);
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) {
          const std::int8_t* const values = shape.values(x[r]) + b * kBlock + 32 * half;
          __m256i whole = load(shape.sums(x[r]) + b * 16 + 8 * half);
#if LLMCTL_256_VNNI
          whole = dot(dot(whole, low, load(values)), high, load(values + 64));
#else
          const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low, load(values)),
                                                 _mm256_maddubs_epi16(high, load(values + 64)));
          whole = _mm256_add_epi32(whole, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
          const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(shape.scales(x[r])[b]));
          sums[c][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), both, sums[c][r]);
        }
      }
    }
  }

  template <int kGroup, int kOutputs, int kTile>
  LLMCTL_256 LLMCTL_INLINE static void tile_of_groups(const Product& product, std::int64_t o,
                                                      std::int64_t m) {
    constexpr std::int64_t kScaleBytes = kBlock / kGroup * 2;
    const RoundedRow shape(product.weight.inputs);
    const std::byte *w[kOutputs], *s[kOutputs], *x[kTile];
    std::uint64_t scales[kOutputs];
    __m256 sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      s[c] = row_scales<kGroup>(product.weight, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = _mm256_setzero_ps();
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
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) put(product, m + r, o + c, sums[c][r], 1);
    }
  }

  template <int kOutputs, int kTile>
  LLMCTL_256 static void tile(const Product& product, std::int64_t o, std::int64_t m) {
    if (product.weight.group == 32) {
      tile_of_groups<32, kOutputs, kTile>(product, o, m);
    } else {
      tile_of_groups<64, kOutputs, kTile>(product, o, m);
    }
  }
};

}  // namespace LLMCTL_256_NAME

#undef LLMCTL_256
#undef LLMCTL_256_NAME
#undef LLMCTL_256_VNNI
