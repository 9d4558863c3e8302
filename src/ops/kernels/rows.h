// Rows of fp32 picked out and put back, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// y[i] = x[rows[i]] for i from `begin` to `end`: x [N, columns], y [count, columns].
void gather_rows(const float* x, const std::int64_t* rows, float* y, std::int64_t begin,
                 std::int64_t end, std::int64_t columns);

/// The rows of y [N, columns] from `begin` to `end`: the sum of the x[i] whose rows[i] is the row,
/// 0 where there is none. rows [count] ascend.
void scatter_rows(const float* x, const std::int64_t* rows, std::int64_t count, float* y,
                  std::int64_t begin, std::int64_t end, std::int64_t columns);

}  // namespace llmctl::kernels
