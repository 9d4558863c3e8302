#include "ops/kernels/dropout.h"

#include <algorithm>
#include <array>

#include "base/random.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/dropout.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void draw(std::uint64_t key, std::uint64_t first, std::uint32_t* words) {
  for (std::uint64_t lane = 0; lane < kDropBlock / 4; ++lane) {
    const std::uint64_t counter = first + lane;
    const std::array<std::uint32_t, 4> four = philox4x32(
        {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0},
        {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
    std::copy_n(four.data(), 2, words + 2 * lane);
    std::copy_n(four.data() + 2, 2, words + kDropBlock / 2 + 2 * lane);
  }
}
#else
/// The draws of one block, as philox4x32() gives them. Each 64-bit lane holds one counter's 32-bit
/// words, since the generator wants products of 64 bits.
HWY_ATTR void draw(std::uint64_t key, std::uint64_t first, std::uint32_t* words) {
  constexpr std::size_t kCounters = kDropBlock / 4;
  const hn::CappedTag<std::uint64_t, kCounters> d;
  const hn::Repartition<std::uint32_t, decltype(d)> narrow;
  const auto low = hn::Set(d, 0xFFFFFFFFu);
  const auto multiply = [&](auto a, std::uint32_t b) HWY_ATTR {
    return hn::MulEven(hn::BitCast(narrow, a), hn::Set(narrow, b));
  };
  for (std::size_t lane = 0; lane < kCounters; lane += hn::Lanes(d)) {
    const auto counter = hn::Add(hn::Set(d, first + lane), hn::Iota(d, 0));
    auto c0 = hn::And(counter, low), c1 = hn::ShiftRight<32>(counter);
    auto c2 = hn::Zero(d), c3 = hn::Zero(d);
    auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto p0 = multiply(c0, 0xD2511F53u), p1 = multiply(c2, 0xCD9E8D57u);
      c0 = hn::Xor(hn::ShiftRight<32>(p1), hn::Xor(c1, hn::Set(d, k0)));
      c1 = hn::And(p1, low);
      c2 = hn::Xor(hn::ShiftRight<32>(p0), hn::Xor(c3, hn::Set(d, k1)));
      c3 = hn::And(p0, low);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const auto store = [&](auto even, auto odd, std::size_t at) HWY_ATTR {
      hn::StoreU(hn::BitCast(narrow, hn::Or(even, hn::ShiftLeft<32>(odd))), narrow,
                 words + at + 2 * lane);
    };
    store(c0, c1, 0);
    store(c2, c3, 2 * kCounters);
  }
}
#endif

HWY_ATTR void run(const Drop& drop, const float* x, float* y, std::int64_t begin,
                  std::int64_t end) {
  alignas(64) std::uint32_t words[kDropBlock];
  for (std::int64_t i = begin; i < end; i += kDropBlock) {
    draw(drop.key, static_cast<std::uint64_t>(i) / 4, words);
    const float* HWY_RESTRICT const in = x + i;
    float* HWY_RESTRICT const out = y + i;
    for_each(std::min(kDropBlock, end - i), [&](auto d, std::int64_t j) HWY_ATTR {
      const hn::RebindToUnsigned<decltype(d)> bits;
      const hn::RebindToSigned<decltype(d)> integer;
      const auto word = hn::BitCast(integer, hn::ShiftRight<1>(hn::LoadU(bits, words + j)));
      const auto dropped = hn::Lt(word, hn::Set(integer, drop.threshold));
      const auto scaled = hn::Mul(hn::LoadU(d, in + j), hn::Set(d, drop.scale));
      hn::StoreU(hn::IfThenZeroElse(hn::RebindMask(d, dropped), scaled), d, out + j);
    });
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run);

void drop(const Drop& drop, const float* x, float* y, std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(run)(drop, x, y, begin, end);
}

}  // namespace llmctl::kernels
#endif
