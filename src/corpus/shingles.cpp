#include "corpus/shingles.h"

#include <algorithm>

#include "base/hash.h"
#include "base/utf8.h"
#include "text/characters.h"
#include "text/unicode.h"

namespace llmctl {

std::vector<std::uint64_t> word_hashes(std::string_view text) {
  std::vector<std::uint64_t> words;
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, length] = character_at(text, at);
    at += length;
    if (is_cjk(c)) {
      if (hash != 0) words.push_back(hash);
      hash = 0;
      words.push_back(mix64(c));
    } else if (is_word_character(c)) {
      const char32_t low = c < 128 ? (c >= 'A' && c <= 'Z' ? c | 32 : c) : to_lower(c);
      hash = mix64(hash ^ low) | 1;
    } else if (hash != 0) {
      words.push_back(hash);
      hash = 0;
    }
  }
  if (hash != 0) words.push_back(hash);
  return words;
}

std::vector<std::uint64_t> shingles(std::string_view text, std::size_t n) {
  return shingles_of_words(word_hashes(text), n);
}

std::vector<std::uint64_t> shingles_of_words(std::span<const std::uint64_t> words, std::size_t n) {
  if (words.empty()) return {};
  n = std::min(n, words.size());
  std::vector<std::uint64_t> result;
  result.reserve(words.size() - n + 1);
  for (std::size_t i = 0; i + n <= words.size(); ++i) {
    std::uint64_t hash = n;
    for (std::size_t j = 0; j < n; ++j) hash = mix64(hash ^ words[i + j]) * 31;
    result.push_back(mix64(hash));
  }
  return result;
}

Signature signature_of(const std::vector<std::uint64_t>& shingle_hashes) {
  struct Functions {
    std::array<std::uint32_t, Signature::kSize> factors, terms;
  };
  static const Functions functions = [] {
    Functions made;
    for (std::size_t i = 0; i < Signature::kSize; ++i) {
      made.factors[i] = static_cast<std::uint32_t>(mix64(2 * i + 1)) | 1;
      made.terms[i] = static_cast<std::uint32_t>(mix64(2 * i + 2));
    }
    return made;
  }();
  Signature signature;
  signature.values.fill(0xFFFFFFFF);
  for (const std::uint64_t shingle : shingle_hashes) {
    const auto x = static_cast<std::uint32_t>(shingle >> 32);
    for (std::size_t i = 0; i < Signature::kSize; ++i) {
      const std::uint32_t value = functions.factors[i] * x + functions.terms[i];
      signature.values[i] = std::min(signature.values[i], value);
    }
  }
  return signature;
}

double similarity(const Signature& a, const Signature& b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < Signature::kSize; ++i) equal += a.values[i] == b.values[i];
  return static_cast<double>(equal) / static_cast<double>(Signature::kSize);
}

}  // namespace llmctl
