#include "ops/kernels/rows.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/rows.cpp"
#include <hwy/foreach_target.h>

#include "ops/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

HWY_INLINE HWY_ATTR void copy(const float* HWY_RESTRICT from, float* HWY_RESTRICT to,
                              std::int64_t n) {
  for_each(n,
           [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(hn::LoadU(d, from + i), d, to + i); });
}

HWY_ATTR void gather(const float* x, const std::int64_t* rows, float* y, std::int64_t begin,
                     std::int64_t end, std::int64_t columns) {
  for (std::int64_t i = begin; i < end; ++i) copy(x + rows[i] * columns, y + i * columns, columns);
}

/// Every row of y is written once: no pass that fills it with zeros before.
HWY_ATTR void scatter(const float* x, const std::int64_t* rows, std::int64_t count, float* y,
                      std::int64_t begin, std::int64_t end, std::int64_t columns) {
  std::int64_t next = std::lower_bound(rows, rows + count, begin) - rows;
  for (std::int64_t row = begin; row < end; ++row) {
    float* const out = y + row * columns;
    if (next == count || rows[next] != row) {
      for_each(columns,
               [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(hn::Zero(d), d, out + i); });
      continue;
    }
    copy(x + next++ * columns, out, columns);
    for (; next < count && rows[next] == row; ++next) {
      const float* const more = x + next * columns;
      for_each(columns, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(hn::Add(hn::LoadU(d, out + i), hn::LoadU(d, more + i)), d, out + i);
      });
    }
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {

HWY_EXPORT(gather);
HWY_EXPORT(scatter);

void gather_rows(const float* x, const std::int64_t* rows, float* y, std::int64_t begin,
                 std::int64_t end, std::int64_t columns) {
  HWY_DYNAMIC_DISPATCH(gather)(x, rows, y, begin, end, columns);
}

void scatter_rows(const float* x, const std::int64_t* rows, std::int64_t count, float* y,
                  std::int64_t begin, std::int64_t end, std::int64_t columns) {
  HWY_DYNAMIC_DISPATCH(scatter)(x, rows, count, y, begin, end, columns);
}

}  // namespace llmctl::kernels
#endif
