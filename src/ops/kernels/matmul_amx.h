// Products of panels by AMX, whose instructions multiply tiles of 16 rows of bytes at once. Private
// to this folder.
#pragma once

#include "ops/kernels/matmul.h"

namespace llmctl::kernels {

/// Rows and outputs of one call at most.
inline constexpr std::int64_t kTallRows = 32, kTallOutputs = 32;

/// Whether the processor has AMX-INT8 and the system lets this process use it.
bool has_byte_tiles();

/// Of kInt8: rows [row, row + rows) of prepared inputs with the outputs from `output` on, whose
/// weights lie in `panel`: [blocks, 32 fours of inputs, 32 outputs, 4], each number + 128, zeros or
/// anything behind the last input and output.
void multiply_tall_tile(const Product& product, const std::uint8_t* panel, std::int64_t row,
                        std::int64_t rows, std::int64_t output, std::int64_t outputs);

}  // namespace llmctl::kernels
