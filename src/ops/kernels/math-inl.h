// What the kernels share: functions and sums of vectors of floats, compiled once for each
// instruction set. Included by the files of this folder only, after hwy/highway.h and without a
// guard of the usual kind, as Highway asks.
#if defined(LLMCTL_KERNELS_MATH) == defined(HWY_TARGET_TOGGLE)
#ifdef LLMCTL_KERNELS_MATH
#undef LLMCTL_KERNELS_MATH
#else
#define LLMCTL_KERNELS_MATH
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Wide = hn::ScalableTag<float>;
using One = hn::CappedTag<float, 1>;  // the same code for what is left of a row

/// Calls step(tag, i) for all i below n: a vector at a time, then number by number.
template <class Step>
HWY_INLINE HWY_ATTR void for_each(std::int64_t n, const Step& step) {
  const Wide wide;
  const One one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(wide, i);
  for (; i < n; ++i) step(one, i);
}

/// The sum of term(tag, i) over all i below n, in four independent partial sums.
template <class Term>
HWY_INLINE HWY_ATTR float sum_of(std::int64_t n, const Term& term) {
  const Wide wide;
  const One one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  auto a = hn::Zero(wide), b = a, c = a, d = a;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = hn::Add(a, term(wide, i));
    b = hn::Add(b, term(wide, i + lanes));
    c = hn::Add(c, term(wide, i + 2 * lanes));
    d = hn::Add(d, term(wide, i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a = hn::Add(a, term(wide, i));
  float sum = hn::GetLane(hn::SumOfLanes(wide, hn::Add(hn::Add(a, b), hn::Add(c, d))));
  for (; i < n; ++i) sum += hn::GetLane(term(one, i));
  return sum;
}

/// e^x, at most e^88. Highway's gives 0 for what is not a number, which would hide a loss that is
/// lost, and anything at all where e^x is beyond fp32.
template <class D, class V>
HWY_INLINE HWY_ATTR V exponential(D d, V x) {
  const V power = hn::Exp(d, hn::Min(x, hn::Set(d, 88.0f)));
  return hn::IfThenElse(hn::IsNaN(x), x, power);
}

/// 1 / x within two units of the last place: the processor's estimate and as many steps of Newton's
/// as its bits need, each of which doubles them (x86 gives 12 or 14 bits, Arm 8). A division takes
/// as long as all the rest of an activation.
template <class D, class V>
HWY_INLINE HWY_ATTR V reciprocal(D d, V x) {
  V estimate = hn::ApproximateReciprocal(x);
#if HWY_ARCH_ARM
  estimate = hn::Mul(estimate, hn::NegMulAdd(x, estimate, hn::Set(d, 2.0f)));
#endif
  return hn::Mul(estimate, hn::NegMulAdd(x, estimate, hn::Set(d, 2.0f)));
}

/// 1 / (1 + e^-x).
template <class D, class V>
HWY_INLINE HWY_ATTR V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return reciprocal(d, hn::Add(one, exponential(d, hn::Neg(x))));
}

/// The error function, within 2e-7: an odd rational function of x on [-4, 4], beyond which it is ±1
/// in fp32 (the coefficients of Eigen's and XLA's erf for floats).
template <class D, class V>
HWY_INLINE HWY_ATTR V error_function(D d, V x) {
  x = hn::IfThenElse(hn::IsNaN(x), x, hn::Clamp(x, hn::Set(d, -4.0f), hn::Set(d, 4.0f)));
  const V square = hn::Mul(x, x);
  V top = hn::Set(d, -2.72614225801306e-10f);
  top = hn::MulAdd(top, square, hn::Set(d, 2.77068142495902e-08f));
  top = hn::MulAdd(top, square, hn::Set(d, -2.10102402082508e-06f));
  top = hn::MulAdd(top, square, hn::Set(d, -5.69250639462346e-05f));
  top = hn::MulAdd(top, square, hn::Set(d, -7.34990630326855e-04f));
  top = hn::MulAdd(top, square, hn::Set(d, -2.95459980854025e-03f));
  top = hn::MulAdd(top, square, hn::Set(d, -1.60960333262415e-02f));
  V bottom = hn::Set(d, -1.45660718464996e-05f);
  bottom = hn::MulAdd(bottom, square, hn::Set(d, -2.13374055278905e-04f));
  bottom = hn::MulAdd(bottom, square, hn::Set(d, -1.68282697438203e-03f));
  bottom = hn::MulAdd(bottom, square, hn::Set(d, -7.37332916720468e-03f));
  bottom = hn::MulAdd(bottom, square, hn::Set(d, -1.42647390514189e-02f));
  return hn::Mul(hn::Mul(x, top), reciprocal(d, bottom));
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
