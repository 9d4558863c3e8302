#include "ops/kernels/select.h"

#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/select.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// NaN where one is NaN or +infinity.
HWY_ATTR float largest(const float* x, std::int64_t n) {
  const Wide wide;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  const auto infinity = hn::Set(wide, kInfinity);
  auto a = hn::Set(wide, -kInfinity), b = a;
  auto good = hn::Lt(a, infinity);
  std::int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto one = hn::LoadU(wide, x + i), two = hn::LoadU(wide, x + i + lanes);
    good = hn::And(good, hn::And(hn::Lt(one, infinity), hn::Lt(two, infinity)));
    a = hn::Max(a, one);
    b = hn::Max(b, two);
  }
  bool finite = hn::AllTrue(wide, good);
  float most = hn::GetLane(hn::MaxOfLanes(wide, hn::Max(a, b)));
  for (; i < n; ++i) {
    finite = finite && x[i] < kInfinity;
    most = x[i] > most ? x[i] : most;
  }
  return finite ? most : std::numeric_limits<float>::quiet_NaN();
}

HWY_ATTR float log_sum(const float* x, std::int64_t n) {
  const float most = largest(x, n);
  const float sum = sum_of(n, [&](auto d, std::int64_t i) HWY_ATTR {
    return exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, most)));
  });
  return most + std::log(sum);
}

/// Calls found(i) for each i with predicate(tag, x[i…]), ascending, until it returns true.
template <class Predicate, class Found>
HWY_INLINE HWY_ATTR void find(const float* x, std::int64_t n, const Predicate& predicate,
                              const Found& found) {
  const Wide wide;
  const One one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (hn::AllFalse(wide, predicate(wide, hn::LoadU(wide, x + i)))) continue;
    for (std::int64_t at = i; at < i + lanes; ++at) {
      if (hn::AllTrue(one, predicate(one, hn::LoadU(one, x + at))) && found(at)) return;
    }
  }
  for (; i < n; ++i) {
    if (hn::AllTrue(one, predicate(one, hn::LoadU(one, x + i))) && found(i)) return;
  }
}

HWY_ATTR std::int64_t largest_index(const float* x, std::int64_t n) {
  const float most = largest(x, n);
  std::int64_t index = -1;
  if (!(most > -kInfinity)) return index;
  find(
      x, n, [&](auto d, auto v) HWY_ATTR { return hn::Eq(v, hn::Set(d, most)); },
      [&](std::int64_t i) {
        index = i;
        return true;
      });
  return index;
}

HWY_ATTR std::size_t above(const float* x, std::int64_t n, float limit, std::uint32_t* out) {
  std::size_t count = 0;
  find(
      x, n, [&](auto d, auto v) HWY_ATTR { return hn::Gt(v, hn::Set(d, limit)); },
      [&](std::int64_t i) {
        out[count++] = static_cast<std::uint32_t>(i);
        return false;
      });
  return count;
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(log_sum);
HWY_EXPORT(largest_index);
HWY_EXPORT(above);

float log_sum_exp(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(log_sum)(x, static_cast<std::int64_t>(n));
}

std::int64_t index_of_largest(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(largest_index)(x, static_cast<std::int64_t>(n));
}

std::size_t indices_above(const float* x, std::size_t n, float limit, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(above)(x, static_cast<std::int64_t>(n), limit, out);
}

}  // namespace llmctl::kernels
#endif
