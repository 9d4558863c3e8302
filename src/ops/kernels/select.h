// What choosing a token reads out of a row of fp32 logits, for the CPU's instruction set. One order
// of summation for a length, so a row's results depend on its numbers alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace llmctl::kernels {

/// log(Σ e^x) over x [n], n > 0. NaN where one is NaN or +infinity, or all are -infinity.
float log_sum_exp(const float* x, std::size_t n);

/// The index of the largest of x [n], the lowest among equals; -1 where one is NaN or +infinity, or
/// all are -infinity.
std::int64_t index_of_largest(const float* x, std::size_t n);

/// Writes the indices of what is greater than `limit`, ascending, into `out` [n]; their number.
std::size_t indices_above(const float* x, std::size_t n, float limit, std::uint32_t* out);

}  // namespace llmctl::kernels
