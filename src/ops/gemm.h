// Matrix products with the fastest library for this processor. Private to ops/. No gradient.
#pragma once

#include <ATen/core/Tensor.h>

namespace llmctl {

/// a [N, K] · b [K, M] + bias [M] (may be undefined) → [N, M]; a and b may be transposed views of
/// one dtype.
at::Tensor gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

/// rows [N, K] · weight [M, K]ᵀ → [N, M] in fp32 (fp64 where `compute` is): products of operands in
/// `compute` summed and kept in fp32 on GPUs, a product of fp32 operands on the CPU.
at::Tensor gemm_exact(const at::Tensor& rows, const at::Tensor& weight, at::ScalarType compute);

/// out [N, M] += a [N, K] · b [K, M].
void gemm_add(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

/// What gemm() uses for fp32 on this processor: "oneDNN" or "BLAS".
const char* fp32_gemm_library();

}  // namespace llmctl
