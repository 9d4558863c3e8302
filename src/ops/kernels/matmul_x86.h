// Matrix products by instructions of x86 that Highway does not offer. Private to this folder.
#pragma once

#include "ops/kernels/matmul.h"

namespace llmctl::kernels {

/// Whether this processor has them for the form.
bool has_x86_products(Form form);

/// As prepared_bytes() and multiply().
std::size_t x86_prepared_bytes(const WeightView& weight);
void x86_multiply(const Product& product, std::int64_t begin, std::int64_t end);

/// Rounds a row to bf16, zeros behind it.
void x86_round_to_bf16(const float* x, std::int64_t inputs, std::byte* prepared);
/// Arranges a row that has been rounded to eight bits for x86_multiply().
void x86_arrange(const WeightView& weight, std::byte* row);

}  // namespace llmctl::kernels
