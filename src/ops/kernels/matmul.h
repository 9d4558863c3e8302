// Products of rows with a weight matrix in one of four forms, for the CPU's instruction set. M
// rows, I inputs, O outputs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace llmctl::kernels {

/// How a weight's numbers are kept.
enum class Form {
  kFp32,
  kBf16,
  kInt8,  ///< one fp32 scale for each row of the weight
  kInt4   ///< one bf16 scale for each group of inputs
};

/// A weight [O, I]. Neither values nor scales need to be aligned: they may lie in a mapped file.
struct WeightView {
  Form form = Form::kFp32;
  std::int64_t outputs = 0, inputs = 0;
  std::int64_t group = 32;       ///< of kInt4: 32 or 64, which divides the inputs
  const void* values = nullptr;  ///< row by row; kInt4: see packed_position()
  const void* scales = nullptr;  ///< kInt8: fp32 [O]; kInt4: bf16 [O, I/group]; others: null

  std::size_t row_bytes() const {
    const auto n = static_cast<std::size_t>(inputs);
    return form == Form::kFp32   ? 4 * n
           : form == Form::kBf16 ? 2 * n
           : form == Form::kInt8 ? n
                                 : n / 2;
  }
};

/// Where kInt4 keeps the number of an input, as value + 8 in four bits: the byte of the row. The
/// first half of a group has the low bits of the group's bytes, the second half the high ones.
inline std::int64_t packed_position(std::int64_t input, std::int64_t group) {
  return input / group * (group / 2) + input % (group / 2);
}

/// Products sum in one order whatever M and whichever outputs are asked for, so that a row's
/// results do not depend on the rows beside it.
struct Product {
  WeightView weight;
  std::int64_t rows = 0;
  const std::byte* x = nullptr;  ///< prepared rows, or fp32 rows where none are
  std::size_t x_stride = 0;      ///< bytes from one row to the next
  const float* bias = nullptr;   ///< [O] or null
  float* y = nullptr;            ///< [M, O]
  std::int64_t y_stride = 0;     ///< numbers from one row to the next
};

/// Bytes that a row of inputs takes in the shape that the products of this form read on this
/// processor; 0: they read fp32 rows as they are. The bf16 form rounds the inputs to bf16 where the
/// processor multiplies bf16; int8 and int4 round them to eight bits with one scale for each 128.
std::size_t prepared_bytes(const WeightView& weight);

/// Rows `begin` to `end` of x [M, I] in that shape; `prepared` is aligned to 64 bytes.
void prepare_rows(const WeightView& weight, const float* x, std::byte* prepared, std::int64_t begin,
                  std::int64_t end);

/// Whether this processor multiplies numbers of this form as they are, no slower than fp32.
bool multiplies_as_fast_as_fp32(Form form);

/// Outputs `begin` to `end` of all rows.
void multiply(const Product& product, std::int64_t begin, std::int64_t end);

}  // namespace llmctl::kernels
