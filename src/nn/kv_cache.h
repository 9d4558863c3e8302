// Keys and values of the tokens that decoding has seen, per layer, with a length of its own for
// each row.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace llmctl {

/// L layers of B rows, G key/value heads, S slots and head size K.
struct KvCacheShape {
  std::int64_t layers = 0, rows = 0, heads = 0, head_size = 0, slots = 0;
};

/// Slot j of a row holds the token at position j. B rows, G key/value heads, S slots, K head size.
class KvCache {
 public:
  /// Room for `slots` tokens in each row; grows by doubling when more is asked for.
  KvCache(const KvCacheShape& shape, at::ScalarType dtype, at::Device device);

  std::int64_t rows() const;
  std::int64_t slots() const { return slots_; }
  /// Tokens held by each row, [B] int64 on the CPU.
  const std::vector<std::int64_t>& lengths() const { return lengths_; }

  /// The caller's, before a forward of T new tokens per row: row b's new tokens go to slots
  /// lengths[b] … lengths[b] + T - 1.
  void begin(std::int64_t new_tokens);
  /// Stores layer `layer`'s keys and values [B, G, T, K] and returns views of all slots in use, [B,
  /// G, S', K] (S' = longest row, new tokens included).
  std::pair<at::Tensor, at::Tensor> append(std::int64_t layer, const at::Tensor& keys,
                                           const at::Tensor& values);
  /// The caller's, after the forward: row b keeps kept[b] of its T new tokens (right padding is
  /// dropped).
  void end(const std::vector<std::int64_t>& kept);
  /// Keys and values [B, G, S, K] of an encoder's states, kept by layer `layer` for the steps to
  /// come; undefined before keep_memory().
  std::pair<at::Tensor, at::Tensor> memory(std::int64_t layer) const;
  void keep_memory(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values);
  /// Keeps the rows in `index` (finished rows leave; beams reorder), in that order.
  void select(const std::vector<std::int64_t>& index);

  std::int64_t used() const;        ///< S': slots in use, those of the new tokens included
  at::Tensor slots_of_new() const;  ///< [B, T] int64 on the CPU: the slot of each new token
  /// [B, 1, T, S'] bool: may new token t of row b see slot j? With a `window` W > 0 only the last W
  /// slots up to its own. Valid between begin() and end().
  at::Tensor mask(std::int64_t window = 0) const;

 private:
  void grow(std::int64_t slots);

  std::int64_t slots_ = 0, new_tokens_ = 0;
  bool equal_ = true;        // all rows have one length, from begin() on
  at::Tensor slots_of_new_;  // [B, T] when they have not
  std::vector<std::int64_t> lengths_;
  std::vector<at::Tensor> keys_, values_;  // one pair per layer, [B, G, S, K]
  std::vector<at::Tensor> memory_keys_, memory_values_;
};

}  // namespace llmctl
