// Masks of masked language models (Devlin et al., 2019): a pure function of a random key.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace llmctl {

/// True for a token of CJK ideographs and nothing else but the mark of a word.
bool all_ideographs(const Tokenizer& tokenizer, TokenId id);

struct MaskingOptions {
  double probability = 0.15;  ///< share of the tokens that are to be predicted
  bool whole_word = false;    ///< choose words, not tokens (Cui et al., 2021, for Chinese)
  double mask_share = 0.8;    ///< of those: replaced by [MASK]
  double random_share =
      0.1;  ///< replaced by any token of the vocabulary; the rest stay as they are
  /// Cuts Chinese text into words, for whole_word; without it each piece is a word of its own.
  std::function<std::vector<ByteSpan>(std::string_view)> chinese_words = nullptr;
};

/// Lists of tokens that form one word, in order: a token belongs to the word where it begins, and
/// is a group of its own where no word is. Both from left to right.
std::vector<std::vector<std::size_t>> groups_of_words(std::span<const ByteSpan> tokens,
                                                      std::span<const ByteSpan> words);

/// Chooses and replaces tokens. Special tokens are never chosen.
///   Without whole_word every token is drawn for itself with the given probability; a row that gets
///   none is given one.
///   With whole_word, words are taken in random order until round(probability × tokens), at least
///   one, are covered; a word that would pass the limit is left out. What becomes of a chosen token
///   is drawn token by token.
class Masker {
 public:
  /// kConfig when the tokenizer has no mask token.
  Masker(const Tokenizer& tokenizer, const MaskingOptions& options);

  /// Replaces in `ids`; `labels` (same size) gets the original id where a token was chosen and
  /// kIgnoreLabel elsewhere. Returns how many were chosen.
  std::size_t apply(RandomKey key, std::span<std::int64_t> ids,
                    std::span<std::int64_t> labels) const;

  /// Lists of positions that form one word, in order: a token that begins a word, or is a Chinese
  /// character or run of them, opens a group; what follows joins it unless the group is Chinese.
  /// With options.chinese_words a Chinese token belongs to the word that it begins in.
  std::vector<std::vector<std::size_t>> word_groups(std::span<const std::int64_t> ids) const;

 private:
  enum class Kind : std::uint8_t { kSpecial, kBegins, kContinues, kIdeographs };
  Kind kind(std::int64_t id) const;
  std::vector<std::vector<std::size_t>> chinese_groups(std::span<const std::int64_t> ids,
                                                       std::size_t begin, std::size_t end) const;
  std::vector<std::size_t> choose_tokens(Random& random, std::span<const std::int64_t> ids) const;
  std::vector<std::size_t> choose_words(Random& random, std::span<const std::int64_t> ids) const;

  MaskingOptions options_;
  std::int64_t mask_ = 0;
  std::vector<Kind> kinds_;                                   // of each id
  std::unordered_map<std::int64_t, std::string> ideographs_;  // text of such tokens, where words
                                                              // are cut
};

}  // namespace llmctl
