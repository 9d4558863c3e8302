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

HWY_ATTR void run(const LabelledLogits& work, float* losses, bool differentiate, float smoothing) {
  const std::int64_t columns = work.columns;
  float* logits = work.logits;
  const float each = smoothing / static_cast<float>(columns);  // share of a column
  for (std::int64_t row = 0; row < work.rows; ++row, logits += columns) {
    const float largest = largest_of(logits, columns);
    float& label = logits[work.labels[row]];
    float wanted = label;
    if (smoothing > 0) {
      const float all = sum_of(
          columns, [&](auto d, std::int64_t i) HWY_ATTR { return hn::LoadU(d, logits + i); });
      wanted = (1.0f - smoothing) * label + each * all;
    }
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
        hn::StoreU(hn::MulSub(hn::LoadU(d, logits + i), hn::Set(d, scale), hn::Set(d, each)), d,
                   logits + i);
      });
      label -= 1.0f - smoothing;
    }
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run);

void softmax_losses(const LabelledLogits& rows, float* losses, bool differentiate,
                    float smoothing) {
  HWY_DYNAMIC_DISPATCH(run)(rows, losses, differentiate, smoothing);
}

}  // namespace llmctl::kernels
#endif
