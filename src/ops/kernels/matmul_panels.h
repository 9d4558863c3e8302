// Products of many rows, from a copy of the weight that is arranged for them.
#pragma once

#include "ops/kernels/matmul.h"

namespace llmctl::kernels {

/// Rows from which the copy pays.
inline constexpr std::int64_t kManyRows = 128;

/// Whether there are such products of this form on this processor: of kInt8 and kInt4 by
/// AVX512-VNNI.
bool has_panel_products(Form form);

/// As multiply(), with the sums in an order of their own: a row's results differ in their last bits
/// from those of multiply().
void multiply_by_panels(const Product& product, std::int64_t begin, std::int64_t end);

}  // namespace llmctl::kernels
