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

HWY_ATTR void divide_all(float* x, std::int64_t n, float divisor) {
  for_each(n, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Div(hn::LoadU(d, x + i), hn::Set(d, divisor)), d, x + i);
  });
}

HWY_ATTR void exponentials_of(const float* x, std::int64_t n, float shift, float* out) {
  for_each(n, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift))), d, out + i);
  });
}

HWY_ATTR Share share(const float* x, std::int64_t n, float limit) {
  const hn::ScalableTag<double> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(doubles));
  const auto most = hn::Set(floats, limit);
  auto a = hn::Zero(doubles), b = a, c = a, d = a;
  std::size_t count = 0;
  const auto add = [&](auto& sum, std::int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(floats, x + i);
    const auto some = hn::Le(v, most);
    count += hn::CountTrue(floats, some);
    sum = hn::Add(sum, hn::PromoteTo(doubles, hn::IfThenElseZero(some, v)));
  };
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    add(a, i);
    add(b, i + lanes);
    add(c, i + 2 * lanes);
    add(d, i + 3 * lanes);
  }
  double sum = hn::GetLane(hn::SumOfLanes(doubles, hn::Add(hn::Add(a, b), hn::Add(c, d))));
  for (; i < n; ++i) {
    if (!(x[i] <= limit)) continue;
    sum += static_cast<double>(x[i]);
    ++count;
  }
  return {sum, count};
}

HWY_ATTR void maxima(const float* x, std::int64_t n, float* out) {
  const Wide wide;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  for (constexpr std::int64_t block = kMaximaBlock; n > 0; n -= block, x += block) {
    const std::int64_t size = n < block ? n : block;
    auto most = hn::Set(wide, -kInfinity);
    std::int64_t i = 0;
    for (; i + lanes <= size; i += lanes) most = hn::Max(most, hn::LoadU(wide, x + i));
    float largest = hn::GetLane(hn::MaxOfLanes(wide, most));
    for (; i < size; ++i) largest = x[i] > largest ? x[i] : largest;
    *out++ = largest;
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(log_sum);
HWY_EXPORT(largest_index);
HWY_EXPORT(above);
HWY_EXPORT(divide_all);
HWY_EXPORT(exponentials_of);
HWY_EXPORT(share);
HWY_EXPORT(maxima);

float log_sum_exp(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(log_sum)(x, static_cast<std::int64_t>(n));
}

std::int64_t index_of_largest(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(largest_index)(x, static_cast<std::int64_t>(n));
}

std::size_t indices_above(const float* x, std::size_t n, float limit, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(above)(x, static_cast<std::int64_t>(n), limit, out);
}

void divide(float* x, std::size_t n, float divisor) {
  HWY_DYNAMIC_DISPATCH(divide_all)(x, static_cast<std::int64_t>(n), divisor);
}

void exponentials(const float* x, std::size_t n, float shift, float* out) {
  HWY_DYNAMIC_DISPATCH(exponentials_of)(x, static_cast<std::int64_t>(n), shift, out);
}

Share share_up_to(const float* x, std::size_t n, float limit) {
  return HWY_DYNAMIC_DISPATCH(share)(x, static_cast<std::int64_t>(n), limit);
}

void block_maxima(const float* x, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(maxima)(x, static_cast<std::int64_t>(n), out);
}

}  // namespace llmctl::kernels
#endif
