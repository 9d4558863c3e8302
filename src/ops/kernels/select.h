// What choosing a token does with a row of fp32 logits, for the CPU's instruction set. One order of
// summation for a length, so a row's results depend on its numbers alone.
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

/// x [n] divided by `divisor`, in place.
void divide(float* x, std::size_t n, float divisor);

/// out[i] = e^(x[i] - shift), at most e^88; out may be x.
void exponentials(const float* x, std::size_t n, float shift, float* out);

/// The sum and the number of what is at most `limit` of x [n].
struct Share {
  double sum = 0;
  std::size_t count = 0;
};
Share share_up_to(const float* x, std::size_t n, float limit);

/// The largest of each block of kMaximaBlock of x [n] (the last may be shorter) into `out`. No NaN.
inline constexpr std::size_t kMaximaBlock = 64;
void block_maxima(const float* x, std::size_t n, float* out);

}  // namespace llmctl::kernels
