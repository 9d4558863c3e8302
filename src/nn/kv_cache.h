// Keys and values of the tokens that decoding has seen, in pages that rows may share (Kwon et al.,
// 2023, PagedAttention).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ops/paged_attention.h"
#include "text/tokenizer.h"

namespace llmctl {

/// L layers of G key/value heads of size K.
struct KvCacheShape {
  std::int64_t layers = 0, heads = 0, head_size = 0;
};

/// What one layer's attention to a cache needs besides queries, keys and values.
struct CacheAttention {
  double scale = 1;         ///< of QKᵀ
  std::int64_t window = 0;  ///< > 0: a token sees the last so many, itself included
  /// [H, distances] fp32: added to the score of a key so many positions back; undefined: nothing.
  at::Tensor distance_bias = {};
};

/// The least of few sizes (1, 2, 3, 4, 6, 8, 12, 16, 24, …) that is not below n: what a pass of n
/// rows, or of n pages in the longest row, is padded to.
std::int64_t padded_size(std::int64_t n);

/// Rows of tokens, each with a length of its own. A row's token at position p stands in its page
/// p / 16. Pages are counted: a fork shares those of its parent, and the last one is copied when
/// one of the two goes on. Whole pages of known tokens are kept when no row needs them any more,
/// for later rows that begin alike, until their place is needed.
///
/// A forward pass is ragged: N tokens in all, each of some row, those of one row one behind the
/// other. Between plan() and end() attend() stores and reads.
class KvCache {
 public:
  using Row = std::int64_t;
  static constexpr std::int64_t kPageTokens = kPage;

  /// Room for `tokens` in one allocation; twice as much when that is full.
  KvCache(const KvCacheShape& shape, at::ScalarType dtype, at::Device device, std::int64_t tokens);

  Row open();           ///< an empty row
  Row fork(Row row);    ///< one with the same tokens
  void close(Row row);  ///< gives its pages back
  std::int64_t length(Row row) const;
  /// Forgets the tokens from `length` on.
  void truncate(Row row, std::int64_t length);

  /// An empty row begins with the whole pages of `ids`, at most `limit` tokens, that are kept under
  /// the same `scope` (what else the keys depend on: an adapter, an encoder's text). The row's
  /// length.
  std::int64_t adopt(Row row, std::uint64_t scope, std::span<const TokenId> ids,
                     std::int64_t limit);
  /// Tells which tokens the row's pages hold, those planned included, for rows to come.
  void remember(Row row, std::uint64_t scope, std::span<const TokenId> ids);

  /// `tokens` more of the row are in the coming forward pass.
  void plan(Row row, std::int64_t tokens);
  /// The same for tokens that only are seen: an encoder's.
  void fill(Row row, std::int64_t tokens);
  /// A token of the coming forward pass sees all tokens of `row`: attention to an encoder's text.
  void look(Row row);
  /// The coming forward pass has static shapes: `tokens` tokens in all, the last ones of no row,
  /// stored where nobody looks and seeing nothing, and page tables of padded_size(): what is made
  /// for one pass (a captured graph, buffers) serves all of the same shapes. After all other plans.
  void pad(std::int64_t tokens);
  /// The same for tokens that look() at others.
  void pad_looks(std::int64_t tokens);
  /// Tokens planned so far.
  std::int64_t planned() const { return planned_; }
  /// The most tokens that one of the forward pass sees; of all their pages after pad().
  std::int64_t reach() const;
  /// Stores the keys and values k, v [N, G, K] of layer `layer`'s planned tokens.
  void store(std::int64_t layer, const at::Tensor& k, const at::Tensor& v);
  /// softmax(scale · q·kᵀ + bias)·v for q [N, H, K] fp32 over what each planned token sees, itself
  /// and what is before it (or, after look(), a whole row) → [N, H, K] fp32.
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const CacheAttention& how) const;
  /// After the forward pass: the rows have the planned tokens.
  void end();

  std::int64_t rows() const;          ///< open ones
  std::int64_t bytes() const;         ///< of all pages
  std::int64_t pages_in_use() const;  ///< that open rows hold

 private:
  /// What a whole page holds: the page before it and its own tokens.
  using Content = std::pair<std::uint64_t, std::vector<TokenId>>;
  struct Page {
    std::int64_t users = 0;
    std::uint64_t known = 0;  // > 0: number of its content, the key of those behind it
    std::map<Content, std::int32_t>::iterator content;
    std::list<std::int32_t>::iterator unused;  // among kept_, while nobody uses it
  };
  struct Tokens {
    bool open = false;
    std::int64_t length = 0, planned = 0;
    std::vector<std::int32_t> pages;
  };
  struct Look {
    Row row;                     // -1: padding
    std::int64_t position, end;  // sees positions 0 … end-1
  };

  Tokens& at(Row row);
  const Tokens& at(Row row) const;
  std::int32_t take_page();
  void use(std::int32_t page);
  void release(std::int32_t page);
  void forget(std::int32_t page);
  void own_last_page(Tokens& tokens);
  void grow(std::int64_t pages);
  /// What each token of the forward pass sees; with a window > 0 so many tokens.
  std::vector<PagedQuery> queries(std::int64_t window) const;

  KvCacheShape shape_;
  at::Tensor pool_;                      // [L, 2, pages, G, 16, K]
  std::vector<PagedKeysValues> layers_;  // its parts
  std::vector<Page> pages_;
  std::vector<std::int32_t> free_;
  std::list<std::int32_t> kept_;  // known pages that nobody uses, the oldest first
  std::map<Content, std::int32_t> known_;
  std::uint64_t contents_ = 0;  // numbers given so far
  std::vector<Tokens> rows_;
  std::vector<Row> closed_;
  std::int64_t planned_ = 0;
  std::vector<PagedSlot> slots_;       // of the planned tokens
  std::vector<Look> looks_;            // what each token of the forward pass sees
  std::int32_t padding_page_ = -1;     // where padding is stored, once there was some
  std::vector<std::int32_t> padding_;  // page tables of one page for looks of no row
  bool padded_ = false;                // the forward pass has static shapes
  // The same on a device that is not the CPU, once a layer has asked: of queries by their window.
  std::optional<PagedSlotIndices> slot_indices_;
  mutable std::map<std::int64_t, PagedQueryIndices> query_indices_;
};

}  // namespace llmctl
