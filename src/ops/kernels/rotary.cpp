#include "ops/kernels/rotary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/rotary.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

HWY_ATTR void run(const Rotation& rotation, const float* x, float* y, std::int64_t begin,
                  std::int64_t end) {
  const std::int64_t half = rotation.half;
  for (std::int64_t token = begin; token < end; ++token) {
    const float* const cosines = rotation.cosines + token % rotation.period * half;
    const float* const sines = rotation.sines + token % rotation.period * half;
    for (std::int64_t head = 0; head < rotation.heads; ++head) {
      const std::int64_t offset = (token * rotation.heads + head) * 2 * half;
      const float* HWY_RESTRICT const in = x + offset;
      float* HWY_RESTRICT const out = y + offset;
      for_each(half, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto a = hn::LoadU(d, in + i), b = hn::LoadU(d, in + half + i);
        const auto c = hn::LoadU(d, cosines + i);
        const auto s = hn::Mul(hn::LoadU(d, sines + i), hn::Set(d, rotation.sign));
        hn::StoreU(hn::MulSub(a, c, hn::Mul(b, s)), d, out + i);
        hn::StoreU(hn::MulAdd(b, c, hn::Mul(a, s)), d, out + half + i);
      });
    }
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run);

void rotate(const Rotation& rotation, const float* x, float* y, std::int64_t begin,
            std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(run)(rotation, x, y, begin, end);
}

}  // namespace llmctl::kernels
#endif
