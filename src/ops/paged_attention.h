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
/// first two are these: fp32, or bf16 for an even K; contiguous. How a page lies is known to the
/// functions below alone (ops/kernels/attention.h); whole pages may be copied.
struct PagedKeysValues {
  at::Tensor keys, values;
};

/// Writes the keys and values [N, G, K] of N tokens to their slots. On the CPU, as
/// paged_attention().
void store_paged(const PagedKeysValues& cache, const at::Tensor& keys, const at::Tensor& values,
                 std::span<const PagedSlot> slots);

struct PagedAttentionOptions {
  double scale = 1;          ///< of the products of queries and keys
  at::Tensor distance_bias;  ///< [H, distances] fp32 or undefined: kernels::PagedAttention
};

/// softmax(scale · queries · keysᵀ + bias) · values of N tokens, q [N, H, K] → [N, H, K] of q's
/// type; 0 where a query sees nothing. A query's result does not depend on the other
/// queries. Tokens of one row should be neighbours in the list and have one page table (the same
/// pointer).
at::Tensor paged_attention(const at::Tensor& q, const PagedKeysValues& cache,
                           std::span<const PagedQuery> queries,
                           const PagedAttentionOptions& options);

/// The same by LibTorch's operations, on any device. What a forward pass's slots and queries are
/// there is the same for all layers: it is made, and goes to the device, once.
struct PagedSlotIndices {
  PagedSlotIndices(std::span<const PagedSlot> slots, at::Device device);
  at::Tensor pages, offsets;  ///< [N]
  at::Tensor pairs, places;   ///< [N]: the offset's pair, and its place in it
};
/// B rows of queries that share a page table, padded to T queries, P pages (at least
/// `least_pages`) and S = 16 P keys.
struct PagedQueryIndices {
  PagedQueryIndices(std::span<const PagedQuery> queries, at::Device device,
                    std::int64_t least_pages = 1);
  std::int64_t rows = 0, length = 0, pages;  ///< B, T, P
  at::Tensor places;                         ///< [N], in [B, T]
  at::Tensor table;                          ///< [B · P]
  at::Tensor seen, any, used;                ///< [B, 1, T, S], [B, 1, T, 1], [B, 1, S, 1]
  at::Tensor back;                           ///< [B, 1, T, S]: how far before the query
};
void store_paged_by_tensors(const PagedKeysValues& cache, const at::Tensor& keys,
                            const at::Tensor& values, const PagedSlotIndices& slots);
at::Tensor paged_attention_by_tensors(const at::Tensor& q, const PagedKeysValues& cache,
                                      const PagedQueryIndices& queries,
                                      const PagedAttentionOptions& options);

}  // namespace llmctl
