// What a model made of the words it met last: text repeats itself, and cutting a word is the dear
// part of encoding.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "llmctl/tokenizer.h"

namespace llmctl {

/// A table of a fixed size, one for each thread, that all tokenizers share: a word takes the place
/// that its hash gives it, whatever stood there.
class WordCache {
 public:
  /// One cache line: a word and its tokens.
  struct alignas(64) Entry {
    static constexpr std::size_t kBytes = 28, kTokens = 5;
    std::uint32_t owner = 0;  // 0: nothing
    std::uint8_t size = 0, count = 0;
    std::array<char, kBytes> word;
    std::array<TokenId, kTokens> ids;
    std::array<std::uint8_t, kTokens> ends;  // of each token in the word
  };

  static WordCache& of_this_thread() {
    thread_local WordCache cache;
    return cache;
  }
  /// A number for one model, never given twice.
  static std::uint32_t new_owner();

  static bool fits(std::string_view word) { return word.size() <= Entry::kBytes; }
  Entry& slot(std::uint32_t owner, std::string_view word) {
    return entries_[hash(owner, word) >> (64 - kBits)];
  }
  static bool holds(const Entry& entry, std::uint32_t owner, std::string_view word) {
    return entry.owner == owner && entry.size == word.size() &&
           std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
  }

 private:
  static constexpr int kBits = 15;

  WordCache() : entries_(std::make_unique<Entry[]>(std::size_t{1} << kBits)) {}

  static std::uint64_t hash(std::uint64_t h, std::string_view word) {
    const char* at = word.data();
    std::size_t left = word.size();
    h = (h ^ left) * 0x9E3779B97F4A7C15ull;
    for (; left >= 8; at += 8, left -= 8) h = mix(h, load(at, 8));
    return mix(h, load(at, left));
  }
  static std::uint64_t load(const char* at, std::size_t size) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, at, size);
    return bytes;
  }
  static std::uint64_t mix(std::uint64_t h, std::uint64_t bytes) {
    h = (h ^ bytes) * 0xD6E8FEB86659FD93ull;
    return h ^ h >> 32;
  }

  std::unique_ptr<Entry[]> entries_;
};

}  // namespace llmctl
