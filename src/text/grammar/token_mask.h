// A set of token ids, a bit for each of the vocabulary.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

class TokenMask {
 public:
  explicit TokenMask(std::int64_t size = 0)
      : size_(size), words_(static_cast<std::size_t>((size + 63) / 64)) {}

  std::int64_t size() const { return size_; }
  /// False for ids outside, too.
  bool has(TokenId id) const {
    return id >= 0 && id < size_ && (words_[word(id)] >> (id & 63) & 1) != 0;
  }
  /// Ids outside are passed over.
  void add(TokenId id) {
    if (id >= 0 && id < size_) words_[word(id)] |= bit(id);
  }
  void remove(TokenId id) {
    if (id >= 0 && id < size_) words_[word(id)] &= ~bit(id);
  }
  std::int64_t count() const {
    std::int64_t total = 0;
    for (const std::uint64_t bits : words_) total += std::popcount(bits);
    return total;
  }
  /// 64 ids each, the lowest bit first.
  std::span<const std::uint64_t> words() const { return words_; }
  bool operator==(const TokenMask&) const = default;

 private:
  static std::size_t word(TokenId id) { return static_cast<std::size_t>(id) >> 6; }
  static std::uint64_t bit(TokenId id) { return std::uint64_t{1} << (id & 63); }

  std::int64_t size_;
  std::vector<std::uint64_t> words_;
};

}  // namespace llmctl
