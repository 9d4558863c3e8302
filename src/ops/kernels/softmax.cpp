#include "ops/kernels/softmax.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/softmax.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

HWY_INLINE HWY_ATTR float largest_of(const float* x, std::int64_t n) {
  const Wide wide;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  auto a = hn::Set(wide, x[0]), b = a;
  std::int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::Max(a, hn::LoadU(wide, x + i));
    b = hn::Max(b, hn::LoadU(wide, x + i + lanes));
  }
  float largest = hn::GetLane(hn::MaxOfLanes(wide, hn::Max(a, b)));
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

HWY_ATTR void run(float* logits, const std::int64_t* labels, float* losses, std::int64_t rows,
                  std::int64_t columns, bool differentiate) {
  for (std::int64_t row = 0; row < rows; ++row, logits += columns) {
    const float largest = largest_of(logits, columns);
    const float wanted = logits[labels[row]];
    const auto power = [&](auto d, std::int64_t i) HWY_ATTR {
      return exponential(d, hn::Sub(hn::LoadU(d, logits + i), hn::Set(d, largest)));
    };
    float sum;
    if (differentiate) {
      sum = sum_of(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto e = power(d, i);
        hn::StoreU(e, d, logits + i);
        return e;
      });
    } else {
      sum = sum_of(columns, power);
    }
    losses[row] = largest + std::log(sum) - wanted;
    if (differentiate) {
      const float scale = 1.0f / sum;
      for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(hn::Mul(hn::LoadU(d, logits + i), hn::Set(d, scale)), d, logits + i);
      });
      logits[labels[row]] -= 1.0f;
    }
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run);

void softmax_losses(float* logits, const std::int64_t* labels, float* losses, std::int64_t rows,
                    std::int64_t columns, bool differentiate) {
  HWY_DYNAMIC_DISPATCH(run)(logits, labels, losses, rows, columns, differentiate);
}

}  // namespace llmctl::kernels
#endif
