#include "ops/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/activation.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

/// Value and slope of an activation at one point.
template <class V>
struct Point {
  V value, slope;
};

/// x·σ(u): the slope is σ + x·σ·(1 - σ)·u'.
template <class D, class V>
HWY_INLINE HWY_ATTR Point<V> gate_by_sigmoid(D d, V x, V u, V u_slope) {
  const V s = sigmoid(d, u);
  const V value = hn::Mul(x, s);
  const V rest = hn::Mul(value, hn::Sub(hn::Set(d, 1.0f), s));
  return {value, hn::MulAdd(rest, u_slope, s)};
}

struct Silu {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    return gate_by_sigmoid(d, x, x, hn::Set(d, 1.0f));
  }
};

struct QuickGelu {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    const V rate = hn::Set(d, 1.702f);
    return gate_by_sigmoid(d, x, hn::Mul(x, rate), rate);
  }
};

/// (1 + tanh(v)) / 2 = σ(2v).
struct GeluTanh {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    const V rate = hn::Set(d, 1.5957691216057308f);  // 2·√(2/π)
    const V bend = hn::Mul(hn::Set(d, 0.044715f), hn::Mul(x, x));
    const V one = hn::Set(d, 1.0f);
    return gate_by_sigmoid(d, x, hn::Mul(hn::Mul(rate, x), hn::Add(one, bend)),
                           hn::Mul(rate, hn::MulAdd(hn::Set(d, 3.0f), bend, one)));
  }
};

struct Gelu {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    const V half = hn::Set(d, 0.5f);
    const V share =
        hn::MulAdd(half, error_function(d, hn::Mul(x, hn::Set(d, 0.7071067811865476f))), half);
    const V density = hn::Mul(hn::Set(d, 0.3989422804014327f),
                              exponential(d, hn::Neg(hn::Mul(half, hn::Mul(x, x)))));
    return {hn::Mul(x, share), hn::MulAdd(x, density, share)};
  }
};

struct Tanh {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    const V value = hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(d, x));
    return {value, hn::NegMulAdd(value, value, hn::Set(d, 1.0f))};
  }
};

struct Relu {
  template <class D, class V>
  HWY_INLINE HWY_ATTR static Point<V> at(D d, V x) {
    const auto off = hn::Lt(x, hn::Zero(d));  // false for what is not a number: it stays visible
    const auto positive = hn::Gt(x, hn::Zero(d));
    return {hn::IfThenZeroElse(off, x), hn::IfThenElseZero(positive, hn::Set(d, 1.0f))};
  }
};

template <class Function>
HWY_ATTR void forward(const float* HWY_RESTRICT x, const float* HWY_RESTRICT factor,
                      float* HWY_RESTRICT y, std::int64_t n) {
  if (factor) {
    for_each(n, [&](auto d, std::int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(Function::at(d, hn::LoadU(d, x + i)).value, hn::LoadU(d, factor + i)), d,
                 y + i);
    });
  } else {
    for_each(n, [&](auto d, std::int64_t i)
                    HWY_ATTR { hn::StoreU(Function::at(d, hn::LoadU(d, x + i)).value, d, y + i); });
  }
}

template <class Function>
HWY_ATTR void backward(const float* HWY_RESTRICT gradient, const float* HWY_RESTRICT x,
                       const float* HWY_RESTRICT factor, float* HWY_RESTRICT x_gradient,
                       float* HWY_RESTRICT factor_gradient, std::int64_t n) {
  if (factor) {
    for_each(n, [&](auto d, std::int64_t i) HWY_ATTR {
      const auto g = hn::LoadU(d, gradient + i);
      const auto point = Function::at(d, hn::LoadU(d, x + i));
      hn::StoreU(hn::Mul(g, point.value), d, factor_gradient + i);
      hn::StoreU(hn::Mul(hn::Mul(g, hn::LoadU(d, factor + i)), point.slope), d, x_gradient + i);
    });
  } else {
    for_each(n, [&](auto d, std::int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, gradient + i), Function::at(d, hn::LoadU(d, x + i)).slope), d,
                 x_gradient + i);
    });
  }
}

/// Calls what(function) with the struct of an activation.
template <class What>
HWY_INLINE HWY_ATTR void with_function(Activation activation, const What& what) {
  switch (activation) {
    case Activation::kGelu:
      return what(Gelu());
    case Activation::kGeluTanh:
      return what(GeluTanh());
    case Activation::kSilu:
      return what(Silu());
    case Activation::kRelu:
      return what(Relu());
    case Activation::kQuickGelu:
      return what(QuickGelu());
    case Activation::kTanh:
      return what(Tanh());
  }
}

HWY_ATTR void run_forward(Activation activation, const float* x, const float* factor, float* y,
                          std::int64_t n) {
  with_function(activation,
                [&](auto function) HWY_ATTR { forward<decltype(function)>(x, factor, y, n); });
}

HWY_ATTR void run_backward(Activation activation, const float* gradient, const float* x,
                           const float* factor, float* x_gradient, float* factor_gradient,
                           std::int64_t n) {
  with_function(activation, [&](auto function) HWY_ATTR {
    backward<decltype(function)>(gradient, x, factor, x_gradient, factor_gradient, n);
  });
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(run_forward);
HWY_EXPORT(run_backward);

void activation_forward(Activation activation, const float* x, const float* factor, float* y,
                        std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(run_forward)(activation, x, factor, y, n);
}

void activation_backward(Activation activation, const float* gradient, const float* x,
                         const float* factor, float* x_gradient, float* factor_gradient,
                         std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(run_backward)
  (activation, gradient, x, factor, x_gradient, factor_gradient, n);
}

}  // namespace llmctl::kernels
#endif
