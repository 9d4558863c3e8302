#include "ops/kernels/norm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/norm.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

/// Row by row, so that what the second pass over a row reads is in the first cache.
HWY_ATTR void run_forward(const NormForward& args) {
  const std::int64_t columns = args.columns;
  const float count = static_cast<float>(columns);
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* s = args.x + row * columns;
    if (args.addend) {
      const float* const x = s;
      const float* const addend = args.addend + row * columns;
      float* const sum = args.sum + row * columns;
      for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, addend + i)), d, sum + i);
      });
      s = sum;
    }
    float mean = 0;
    if (args.centred) {
      mean = sum_of(columns, [&](auto d, std::int64_t i) HWY_ATTR { return hn::LoadU(d, s + i); }) /
             count;
      args.means[row] = mean;
    }
    const float squares = sum_of(columns, [&](auto d, std::int64_t i) HWY_ATTR {
      const auto centred = hn::Sub(hn::LoadU(d, s + i), hn::Set(d, mean));
      return hn::Mul(centred, centred);
    });
    const float scale = 1.0f / std::sqrt(squares / count + args.eps);
    args.scales[row] = scale;
    float* const y = args.y + row * columns;
    const float shift = -mean * scale;
    if (args.bias) {
      for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto normal = hn::MulAdd(hn::LoadU(d, s + i), hn::Set(d, scale), hn::Set(d, shift));
        hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, args.weight + i), hn::LoadU(d, args.bias + i)),
                   d, y + i);
      });
    } else {
      for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto normal = hn::Mul(hn::LoadU(d, s + i), hn::Set(d, scale));
        hn::StoreU(hn::Mul(normal, hn::LoadU(d, args.weight + i)), d, y + i);
      });
    }
  }
}

/// With n = (s - mean)·scale and h = gradient·weight: ds = scale·(h - mean(h) - n·mean(h·n)), the
/// mean(h) only where the norm is centred.
HWY_ATTR void run_backward(const NormBackward& args) {
  const std::int64_t columns = args.columns;
  const float count = static_cast<float>(columns);
  const float* const weight = args.weight;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* const g = args.y_gradient + row * columns;
    const float* const s = args.s + row * columns;
    float* const ds = args.s_gradient + row * columns;
    const float scale = args.scales[row];
    const float shift = args.centred ? -args.means[row] * scale : 0.0f;
    float h_mean = 0;
    if (args.centred) {
      h_mean = sum_of(columns,
                      [&](auto d, std::int64_t i) HWY_ATTR {
                        return hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, weight + i));
                      }) /
               count;
    }
    const float hn_mean =
        sum_of(columns,
               [&](auto d, std::int64_t i) HWY_ATTR {
                 const auto normal =
                     hn::MulAdd(hn::LoadU(d, s + i), hn::Set(d, scale), hn::Set(d, shift));
                 return hn::Mul(hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, weight + i)), normal);
               }) /
        count;
    const float* const more = args.sum_gradient ? args.sum_gradient + row * columns : nullptr;
    float* const dw = args.weight_gradient;
    float* const db = args.bias_gradient;
    for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
      const auto gradient = hn::LoadU(d, g + i);
      const auto normal = hn::MulAdd(hn::LoadU(d, s + i), hn::Set(d, scale), hn::Set(d, shift));
      hn::StoreU(hn::MulAdd(gradient, normal, hn::LoadU(d, dw + i)), d, dw + i);
      if (db) hn::StoreU(hn::Add(hn::LoadU(d, db + i), gradient), d, db + i);
      auto h = hn::MulSub(gradient, hn::LoadU(d, weight + i), hn::Set(d, h_mean));
      h = hn::NegMulAdd(normal, hn::Set(d, hn_mean), h);
      const auto total = more ? hn::LoadU(d, more + i) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(h, hn::Set(d, scale), total), d, ds + i);
    });
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run_forward);
HWY_EXPORT(run_backward);

void norm_forward(const NormForward& args) {
  HWY_DYNAMIC_DISPATCH(run_forward)(args);
}
void norm_backward(const NormBackward& args) {
  HWY_DYNAMIC_DISPATCH(run_backward)(args);
}

}  // namespace llmctl::kernels
#endif
