// N-grams of words, and MinHash over them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace llmctl {

/// Hashes of the words of a text in lower case: runs of letters and digits; each ideograph is one.
std::vector<std::uint64_t> word_hashes(std::string_view text);
/// Hashes of the runs of `n` words; of a shorter text the one of all its words.
std::vector<std::uint64_t> shingles(std::string_view text, std::size_t n);
std::vector<std::uint64_t> shingles_of_words(std::span<const std::uint64_t> words, std::size_t n);

/// For each of 128 hash functions the least value over a text's shingles (Broder, 1997): the share
/// of places where two signatures agree estimates the Jaccard similarity of the shingle sets.
struct Signature {
  static constexpr std::size_t kSize = 128;
  std::array<std::uint32_t, kSize> values;
};
Signature signature_of(const std::vector<std::uint64_t>& shingles);
double similarity(const Signature& a, const Signature& b);

}  // namespace llmctl
