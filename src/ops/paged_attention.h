// Attention to keys and values in pages, for inference: no gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "ops/kernels/attention.h"

namespace llmctl {

using kernels::kPage;
using kernels::PagedQuery;
using kernels::PagedSlot;

/// One layer's keys and values, each [pages, G, kPage · K] or any shape of as many numbers whose
/// first two are these: fp32 or bf16, contiguous. How a page lies is known to the functions below
/// alone (ops/kernels/attention.h); whole pages may be copied.
struct PagedKeysValues {
  at::Tensor keys, values;
};

/// Writes the keys and values [N, G, K] of N tokens to their slots.
void store_paged(const PagedKeysValues& cache, const at::Tensor& keys, const at::Tensor& values,
                 std::span<const PagedSlot> slots);

struct PagedAttentionOptions {
  double scale = 1;          ///< of the products of queries and keys
  at::Tensor distance_bias;  ///< [H, distances] fp32 or undefined: kernels::PagedAttention
};

/// softmax(scale · queries · keysᵀ + bias) · values of N tokens, q [N, H, K] → [N, H, K] of q's
/// type; 0 where a query sees nothing. On the CPU a query's result does not depend on the other
/// queries. Tokens of one row should be neighbours in the list and have one page table (the same
/// pointer).
at::Tensor paged_attention(const at::Tensor& q, const PagedKeysValues& cache,
                           std::span<const PagedQuery> queries,
                           const PagedAttentionOptions& options);

namespace detail {
/// The same by LibTorch's operations, on any device.
at::Tensor paged_attention_reference(const at::Tensor& q, const PagedKeysValues& cache,
                                     std::span<const PagedQuery> queries,
                                     const PagedAttentionOptions& options);
void store_paged_reference(const PagedKeysValues& cache, const at::Tensor& keys,
                           const at::Tensor& values, std::span<const PagedSlot> slots);
}  // namespace detail

}  // namespace llmctl
