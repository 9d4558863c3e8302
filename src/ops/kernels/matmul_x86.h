// Matrix products by instructions of x86 that Highway does not offer. Private to this folder.
#pragma once

#include "ops/kernels/matmul.h"

namespace llmctl::kernels {

enum class X86 { kNone, kAvx2, kAvx512 };

/// Whether this processor has them for the form: those of AVX-512's extensions; those of AVX2.
bool has_avx512_products(Form form);
bool has_avx2_products(Form form);

/// As multiply(). AVX-VNNI makes those of AVX2 faster and no other.
void avx512_multiply(const Product& product, std::int64_t begin, std::int64_t end);
void avx2_multiply(const Product& product, std::int64_t begin, std::int64_t end, bool with_vnni);

/// Bytes of a row that is rounded to bf16.
std::size_t x86_bf16_bytes(const WeightView& weight);

/// Rounds a row to bf16, zeros behind it.
void x86_round_to_bf16(const float* x, std::int64_t inputs, std::byte* prepared);
/// Arranges a row that has been rounded to eight bits for either.
void x86_arrange(const WeightView& weight, std::byte* row);

}  // namespace llmctl::kernels
