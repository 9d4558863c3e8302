#include "ops/kernels/matmul.h"

#include <hwy/cache_control.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "ops/kernels/matmul_blocks.h"
#include "ops/kernels/matmul_x86.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/matmul.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

// Rows of a tile: with four outputs their sums fill most of the registers.
#if HWY_TARGET >= HWY_AVX2 && HWY_ARCH_X86
constexpr int kTileRows = 3, kFp32Few = 8, kBf16Few = 1;
#else
constexpr int kTileRows = 6, kFp32Few = 3, kBf16Few = 1;
#endif

const float* fp32_row(const Product& product, std::int64_t row) {
  return reinterpret_cast<const float*>(input_row(product, row));
}

HWY_INLINE void fetch(const void* from) {
  hwy::Prefetch(ahead_of(from));
}

/// y = sum · scale + bias, by one operation wherever the compiler might make one of the two.
HWY_INLINE HWY_ATTR void put(const Product& product, std::int64_t row, std::int64_t output,
                             float sum, float scale = 1) {
  const One d;
  const float bias = product.bias ? product.bias[output] : 0;
  product.y[row * product.y_stride + output] =
      hn::GetLane(hn::MulAdd(hn::Set(d, sum), hn::Set(d, scale), hn::Set(d, bias)));
}

/// The vector type of fp32 sums; where its length is not known, as for SVE, there are no arrays of
/// it and these kernels do not compile.
using Sum = hn::Vec<Wide>;

#if HWY_TARGET == HWY_SCALAR

template <int kOutputs, int kTile>
void put_sums(const Product& product, std::int64_t o, std::int64_t m,
              const Sum (&sums)[kOutputs][kTile]) {
  for (int c = 0; c < kOutputs; ++c) {
    for (int r = 0; r < kTile; ++r) put(product, m + r, o + c, hn::GetLane(sums[c][r]));
  }
}

#else

using Four = hn::CappedTag<float, 4>;

/// Halves are added until four sums are left.
template <class D, class V>
HWY_INLINE HWY_ATTR hn::Vec<Four> fold(D, V sums) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums)));
  } else {
    return sums;
  }
}

/// The sum of each of four vectors, always in the same order.
HWY_INLINE HWY_ATTR hn::Vec<Four> sum_each(Sum a, Sum b, Sum c, Sum d) {
  const Wide wide;
  const Four four;
  const auto first = fold(wide, a), second = fold(wide, b);
  const auto third = fold(wide, c), fourth = fold(wide, d);
  const auto ab =
      hn::Add(hn::InterleaveLower(four, first, second), hn::InterleaveUpper(four, first, second));
  const auto cd =
      hn::Add(hn::InterleaveLower(four, third, fourth), hn::InterleaveUpper(four, third, fourth));
  return hn::Add(hn::ConcatLowerLower(four, cd, ab), hn::ConcatUpperUpper(four, cd, ab));
}

template <int kOutputs, int kTile>
HWY_INLINE HWY_ATTR void put_sums(const Product& product, std::int64_t o, std::int64_t m,
                                  const Sum (&sums)[kOutputs][kTile]) {
  const Four four;
  if constexpr (kOutputs == 4) {
    const auto bias = product.bias ? hn::LoadU(four, product.bias + o) : hn::Zero(four);
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) {
      const auto all = sum_each(sums[0][r], sums[1][r], sums[2][r], sums[3][r]);
      hn::StoreU(hn::Add(all, bias), four, product.y + (m + r) * product.y_stride + o);
    }
  } else {
    for (int c = 0; c < kOutputs; ++c) {
      for (int r = 0; r < kTile; r += 4) {
        const auto of = [&](int k) HWY_ATTR { return sums[c][r + k < kTile ? r + k : kTile - 1]; };
        HWY_ALIGN float all[4];
        hn::Store(sum_each(of(0), of(1), of(2), of(3)), four, all);
        for (int k = 0; k < 4 && r + k < kTile; ++k) put(product, m + r + k, o + c, all[k]);
      }
    }
  }
}

#endif

struct Fp32 {
  static constexpr int kRows = kTileRows, kFew = kFp32Few, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  static HWY_INLINE HWY_ATTR void step(const std::byte* const (&w)[kOutputs],
                                       const float* const (&x)[kTile], std::int64_t i,
                                       Sum (&sums)[kOutputs][kTile]) {
    const Wide d;
    Sum inputs[kTile];
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) inputs[r] = hn::LoadU(d, x[r] + i);
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c] + 4 * i);
      const Sum weight = hn::LoadU(d, reinterpret_cast<const float*>(w[c] + 4 * i));
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = hn::MulAdd(weight, inputs[r], sums[c][r]);
    }
  }

  template <int kOutputs, int kTile>
  static HWY_ATTR void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const Wide d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t n = product.weight.inputs;
    const std::byte* w[kOutputs];
    const float* x[kTile];
    Sum sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = hn::Zero(d);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = fp32_row(product, m + r);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) step(w, x, i, sums);
    if (i < n) {  // the rest, filled up with zeros
      const auto left = static_cast<std::size_t>(n - i) * sizeof(float);
      HWY_ALIGN float more_w[kOutputs][hn::MaxLanes(d)] = {}, more_x[kTile][hn::MaxLanes(d)] = {};
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        std::memcpy(more_w[c], w[c] + 4 * i, left);
        w[c] = reinterpret_cast<const std::byte*>(more_w[c]);
      }
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        std::memcpy(more_x[r], x[r] + i, left);
        x[r] = more_x[r];
      }
      step(w, x, 0, sums);
    }
    put_sums(product, o, m, sums);
  }
};

/// The inputs of each two vectors stand apart, those of even numbers before those of odd ones, as
/// two operations on a vector of pairs of bf16 widen them.
struct Bf16 {
  static constexpr int kRows = kTileRows, kFew = kBf16Few, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  static HWY_INLINE HWY_ATTR void step(const std::byte* const (&w)[kOutputs],
                                       const float* const (&x)[kTile], std::int64_t i,
                                       Sum (&sums)[kOutputs][kTile]) {
    const Wide d;
    const hn::RebindToUnsigned<Wide> bits;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      fetch(w[c]);
      const auto pairs = hn::LoadU(bits, reinterpret_cast<const std::uint32_t*>(w[c]));
      const Sum even = hn::BitCast(d, hn::ShiftLeft<16>(pairs));
      const Sum odd = hn::BitCast(d, hn::And(pairs, hn::Set(bits, 0xFFFF0000u)));
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        sums[c][r] = hn::MulAdd(even, hn::LoadU(d, x[r] + i), sums[c][r]);
        sums[c][r] = hn::MulAdd(odd, hn::LoadU(d, x[r] + i + lanes), sums[c][r]);
      }
    }
  }

  template <int kOutputs, int kTile>
  static HWY_ATTR void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const Wide d;
    const auto pair = static_cast<std::int64_t>(2 * hn::Lanes(d));
    const std::int64_t n = product.weight.inputs;
    const std::byte* w[kOutputs];
    const float* x[kTile];
    Sum sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = weight_row(product, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = hn::Zero(d);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) x[r] = fp32_row(product, m + r);
    std::int64_t i = 0;
    for (; i + pair <= n; i += pair) {
      step(w, x, i, sums);
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) w[c] += 2 * pair;
    }
    if (i < n) {
      HWY_ALIGN std::uint32_t more[kOutputs][hn::MaxLanes(d)] = {};
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        std::memcpy(more[c], w[c], static_cast<std::size_t>(n - i) * 2);
        w[c] = reinterpret_cast<const std::byte*>(more[c]);
      }
      step(w, x, i, sums);
    }
    put_sums(product, o, m, sums);
  }
};

/// Sixteen numbers or what a register holds of them: products of pairs of int16 sum into int32.
using Shorts = hn::CappedTag<std::int16_t, 16>;
using Bytes = hn::Rebind<std::int8_t, Shorts>;
using Ints = hn::RepartitionToWide<Shorts>;
using Floats = hn::Rebind<float, Ints>;

struct Int8 {
  static constexpr int kRows = kTileRows, kFew = 2, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  static HWY_ATTR void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const Shorts shorts;
    const Bytes bytes;
    const Ints ints;
    const Floats floats;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(shorts));
    const RoundedRow shape(product.weight.inputs);
    const std::int8_t *w[kOutputs], *x[kTile];
    const float* scales[kTile];
    decltype(hn::Zero(floats)) sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = reinterpret_cast<const std::int8_t*>(weight_row(product, o + c));
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = hn::Zero(floats);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) {
      const std::byte* const row = input_row(product, m + r);
      x[r] = shape.values(row);
      scales[r] = shape.scales(row);
    }
    std::byte rest[kOutputs][kBlock];
    for (std::int64_t b = 0; b < shape.blocks; ++b) {
      const std::int64_t left = product.weight.inputs - b * kBlock;
      const std::int8_t* block[kOutputs];
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        block[c] = w[c] + b * kBlock;
        if (left >= kBlock) continue;
        const auto* const last = reinterpret_cast<const std::byte*>(block[c]);
        block[c] =
            reinterpret_cast<const std::int8_t*>(last_block(product.weight, last, o + c, rest[c]));
      }
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        decltype(hn::Zero(ints)) low[kTile], high[kTile];
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) low[r] = high[r] = hn::Zero(ints);
        fetch(block[c]);
        fetch(block[c] + 64);
        for (std::int64_t i = 0; i < kBlock; i += lanes) {
          const auto weight = hn::PromoteTo(shorts, hn::LoadU(bytes, block[c] + i));
          HWY_UNROLL(8)
          for (int r = 0; r < kTile; ++r) {
            const auto input = hn::PromoteTo(shorts, hn::LoadU(bytes, x[r] + b * kBlock + i));
            low[r] = hn::ReorderWidenMulAccumulate(ints, weight, input, low[r], high[r]);
          }
        }
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) {
          const auto whole = hn::ConvertTo(floats, hn::Add(low[r], high[r]));
          sums[c][r] = hn::MulAdd(whole, hn::Set(floats, scales[r][b]), sums[c][r]);
        }
      }
    }
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      const float scale = load_unaligned<float>(product.weight.scales, o + c);
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        put(product, m + r, o + c, hn::GetLane(hn::SumOfLanes(floats, sums[c][r])), scale);
      }
    }
  }
};

struct Int4 {
  static constexpr int kRows = kTileRows, kFew = 1, kFewOutputs = 1;

  template <int kOutputs, int kTile>
  static HWY_ATTR void tile(const Product& product, std::int64_t o, std::int64_t m) {
    const Shorts shorts;
    const Bytes bytes;
    const hn::Rebind<std::uint8_t, Shorts> packed_bytes;
    const Ints ints;
    const Floats floats;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(shorts));
    const std::int64_t group = product.weight.group, half = group / 2;
    const std::int64_t groups = product.weight.inputs / group;
    const RoundedRow shape(product.weight.inputs);
    const std::uint8_t* w[kOutputs];
    const std::int8_t* x[kTile];
    const float* scales[kTile];
    decltype(hn::Zero(floats)) sums[kOutputs][kTile];
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      w[c] = reinterpret_cast<const std::uint8_t*>(weight_row(product, o + c));
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) sums[c][r] = hn::Zero(floats);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kTile; ++r) {
      const std::byte* const row = input_row(product, m + r);
      x[r] = shape.values(row);
      scales[r] = shape.scales(row);
    }
    const auto eight = hn::Set(shorts, std::int16_t{8}), mask = hn::Set(shorts, std::int16_t{15});
    for (std::int64_t g = 0; g < groups; ++g) {
      HWY_UNROLL(8)
      for (int c = 0; c < kOutputs; ++c) {
        decltype(hn::Zero(ints)) low[kTile], high[kTile];
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) low[r] = high[r] = hn::Zero(ints);
        fetch(w[c] + g * half);
        for (std::int64_t i = 0; i < half; i += lanes) {
          const auto packed = hn::PromoteTo(shorts, hn::LoadU(packed_bytes, w[c] + g * half + i));
          const auto first = hn::Sub(hn::And(packed, mask), eight);
          const auto second = hn::Sub(hn::ShiftRight<4>(packed), eight);
          HWY_UNROLL(8)
          for (int r = 0; r < kTile; ++r) {
            const std::int8_t* const inputs = x[r] + g * group + i;
            low[r] = hn::ReorderWidenMulAccumulate(
                ints, first, hn::PromoteTo(shorts, hn::LoadU(bytes, inputs)), low[r], high[r]);
            low[r] = hn::ReorderWidenMulAccumulate(
                ints, second, hn::PromoteTo(shorts, hn::LoadU(bytes, inputs + half)), low[r],
                high[r]);
          }
        }
        const float scale =
            widen_bf16(load_unaligned<std::uint16_t>(product.weight.scales, (o + c) * groups + g));
        HWY_UNROLL(8)
        for (int r = 0; r < kTile; ++r) {
          const auto whole = hn::ConvertTo(floats, hn::Add(low[r], high[r]));
          const auto both = hn::Set(floats, scale * scales[r][g * group / kBlock]);
          sums[c][r] = hn::MulAdd(whole, both, sums[c][r]);
        }
      }
    }
    HWY_UNROLL(8)
    for (int c = 0; c < kOutputs; ++c) {
      HWY_UNROLL(8)
      for (int r = 0; r < kTile; ++r) {
        put(product, m + r, o + c, hn::GetLane(hn::SumOfLanes(floats, sums[c][r])));
      }
    }
  }
};

HWY_ATTR void run(const Product& product, std::int64_t begin, std::int64_t end) {
  switch (product.weight.form) {
    case Form::kFp32:
      return multiply_in_tiles<Fp32>(product, begin, end);
    case Form::kBf16:
      return multiply_in_tiles<Bf16>(product, begin, end);
    case Form::kInt8:
      return multiply_in_tiles<Int8>(product, begin, end);
    case Form::kInt4:
      return multiply_in_tiles<Int4>(product, begin, end);
  }
}

/// Which further instructions of x86 go with these kernels: beside those of a lesser set, which
/// tests may have chosen, the processor's are not used.
X86 x86_set() {
  if (!HWY_ARCH_X86 || HWY_TARGET > HWY_AVX2) return X86::kNone;
  return HWY_TARGET == HWY_AVX2 ? X86::kAvx2 : X86::kAvx512;
}

/// For Bf16 above; zeros behind the row.
HWY_ATTR void part(const float* HWY_RESTRICT x, std::int64_t n, float* HWY_RESTRICT parted) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Wide()));
  for (std::int64_t i = 0; i < n; i += 2 * lanes) {
    for (std::int64_t k = 0; k < lanes; ++k) {
      const std::int64_t even = i + 2 * k, odd = even + 1;
      parted[i + k] = even < n ? x[even] : 0;
      parted[i + lanes + k] = odd < n ? x[odd] : 0;
    }
  }
}

/// A block of inputs, filled up with zeros, as integers times a scale. What is not finite makes the
/// scale, and so all results, not a number.
HWY_ATTR void round_block(const float* HWY_RESTRICT x, std::int8_t* HWY_RESTRICT values,
                          float* scale) {
  const Wide d;
  const hn::RebindToSigned<Wide> integers;
  const hn::Rebind<std::int16_t, Wide> shorts;
  const hn::Rebind<std::int8_t, Wide> bytes;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto no_sign = hn::Set(integers, 0x7FFFFFFF);
  // As integers, so that NaN is larger than all numbers.
  auto most = hn::Zero(integers);
  for (std::int64_t i = 0; i < kBlock; i += lanes) {
    most = hn::Max(most, hn::And(hn::BitCast(integers, hn::LoadU(d, x + i)), no_sign));
  }
  const float largest = std::bit_cast<float>(hn::GetLane(hn::MaxOfLanes(integers, most)));
  const bool finite = largest <= std::numeric_limits<float>::max();
  *scale = finite ? largest / 127 : std::numeric_limits<float>::quiet_NaN();
  const float factor = finite && largest > std::numeric_limits<float>::min() ? 127 / largest : 0;
  const auto factors = hn::Set(d, factor);
  for (std::int64_t i = 0; i < kBlock; i += lanes) {
    const auto wide = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), factors));
    const auto narrow = hn::DemoteTo(bytes, hn::DemoteTo(shorts, wide));
    hn::StoreU(narrow, bytes, values + i);
  }
}

HWY_ATTR void round_row(const float* x, std::int64_t inputs, std::byte* row) {
  const RoundedRow shape(inputs);
  for (std::int64_t b = 0; b < shape.blocks; ++b) {
    const std::int64_t left = inputs - b * kBlock;
    const float* block = x + b * kBlock;
    float rest[kBlock] = {};
    if (left < kBlock) {
      std::copy(block, block + left, rest);
      block = rest;
    }
    round_block(block, shape.values(row) + b * kBlock, shape.scales(row) + b);
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run);
HWY_EXPORT(part);
HWY_EXPORT(round_row);
HWY_EXPORT(x86_set);

namespace {

/// Whose products a form takes; kNone: those above.
X86 products_of(Form form) {
  const X86 set = HWY_DYNAMIC_DISPATCH(x86_set)();
  if (set == X86::kAvx512 && has_avx512_products(form)) return X86::kAvx512;
  return set != X86::kNone && has_avx2_products(form) ? X86::kAvx2 : X86::kNone;
}

}  // namespace

std::size_t prepared_bytes(const WeightView& weight) {
  switch (weight.form) {
    case Form::kFp32:
      return 0;
    case Form::kBf16:
      return products_of(weight.form) == X86::kAvx512
                 ? x86_bf16_bytes(weight)
                 : static_cast<std::size_t>(weight.inputs + 31) / 32 * 128;
    default:
      return RoundedRow(weight.inputs).bytes();
  }
}

void prepare_rows(const WeightView& weight, const float* x, std::byte* prepared, std::int64_t begin,
                  std::int64_t end) {
  const auto stride = static_cast<std::int64_t>(prepared_bytes(weight));
  const bool x86 = products_of(weight.form) != X86::kNone;
  for (std::int64_t row = begin; row < end; ++row) {
    const float* const from = x + row * weight.inputs;
    std::byte* const to = prepared + row * stride;
    if (weight.form == Form::kBf16) {
      if (x86) {
        x86_round_to_bf16(from, weight.inputs, to);
      } else {
        HWY_DYNAMIC_DISPATCH(part)(from, weight.inputs, reinterpret_cast<float*>(to));
      }
    } else {
      HWY_DYNAMIC_DISPATCH(round_row)(from, weight.inputs, to);
      if (x86) x86_arrange(weight, to);
    }
  }
}

bool multiplies_as_fast_as_fp32(Form form) {
  return form == Form::kFp32 || products_of(form) == X86::kAvx512;
}

void multiply(const Product& product, std::int64_t begin, std::int64_t end) {
  switch (products_of(product.weight.form)) {
    case X86::kAvx512:
      return avx512_multiply(product, begin, end);
    case X86::kAvx2:
      return avx2_multiply(product, begin, end, cpu_features().avx_vnni);
    case X86::kNone:
      return HWY_DYNAMIC_DISPATCH(run)(product, begin, end);
  }
}

}  // namespace llmctl::kernels
#endif
