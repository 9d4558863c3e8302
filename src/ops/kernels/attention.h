// Attention of new tokens to keys and values that lie in pages, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

inline constexpr std::int64_t kPage = 16;           ///< tokens in a page
inline constexpr std::int64_t kAttentionRows = 24;  ///< queries × heads computed together

/// One layer's keys and values: `pages` pages of G heads, each kPage · K numbers, fp32 or bf16. In
/// a page of values a token's K numbers lie together, [kPage, K]; a page of keys is transposed, [K,
/// kPage], so that a vector of the processor holds the same number of many tokens' keys. In bf16,
/// of an even K, what products add up lies in pairs: two tokens' values, [kPage / 2, K, 2], and two
/// numbers of a key, [K / 2, kPage, 2]. Only store_paged() and paged_attention() need to know.
struct PagedCache {
  std::int64_t kv_heads = 0, head_size = 0;  ///< G, K
  bool bf16 = false;
  void *keys = nullptr, *values = nullptr;  ///< [pages, G, kPage · K]
};

/// Where a token lies: its place in the page, 0 … kPage - 1.
struct PagedSlot {
  std::int32_t page = 0, offset = 0;
};

/// Writes the keys and values [N, G, K] of N tokens to their slots, rounded where the cache is
/// bf16. Only heads first_head … last_head - 1: threads that divide the heads never meet in a cache
/// line.
void store_paged(const PagedCache& cache, const float* keys, const float* values,
                 const PagedSlot* slots, std::int64_t n, std::int64_t first_head,
                 std::int64_t last_head);

/// A query sees the keys at positions begin … end - 1; the one at j lies in page pages[j / kPage].
/// Pages without a position that is seen are not read, and their entries may be anything.
struct PagedQuery {
  const std::int32_t* pages = nullptr;
  std::int64_t position = 0;  ///< of the query itself, for distance_bias
  std::int64_t begin = 0, end = 0;
};

struct PagedAttention {
  PagedCache cache;
  std::int64_t heads = 0;  ///< H, a multiple of G: heads h·G/H share a key head
  float scale = 1;         ///< of the products of queries and keys
  /// [H, distances] or null: added to the score of a key `query position - key position` back, the
  /// last number for all that are farther and the first for all that are nearer (T5).
  const float* distance_bias = nullptr;
  std::int64_t distances = 0;
};

/// out = softmax(scale · queries · keysᵀ + bias) · values, q and out [N, H, K], for the key heads
/// first_head … last_head - 1 and the query heads that share them; 0 where a query sees nothing.
/// Neighbours in the list that have one page table (the same pointer) are computed together. What a
/// query gets does not depend on the list, to the last bit: it is computed by blocks of keys
/// aligned to absolute positions, in one order.
void paged_attention(const PagedAttention& args, const float* q, const PagedQuery* queries,
                     std::int64_t n, std::int64_t first_head, std::int64_t last_head, float* out);

}  // namespace llmctl::kernels
