// Words of a text taken away, masked or exchanged: a second view of it for consistency training
// (Xie et al., "Unsupervised Data Augmentation", 2020; Wei and Zou, "EDA", 2019).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace llmctl {

enum class WordNoiseKind {
  kMask,  ///< each token of the word becomes the one of masks, without one the unknown
  kDrop,  ///< the word is not there; one word stays
  kSwap   ///< the word changes places with the next one of its part
};

std::vector<std::string> word_noise_names();
/// One of those names.
WordNoiseKind parse_word_noise(const std::string& name);

/// Which noise, of how many words, and what names its draws beside each row's number.
struct WordNoise {
  WordNoiseKind kind = WordNoiseKind::kMask;
  double share = 0;
  std::uint64_t seed = 0, step = 0;
};

/// False of masks with a tokenizer that has nothing to put in a word's place.
bool can_noise(WordNoiseKind kind, const Tokenizer& tokenizer);

/// A row as the model reads it.
struct NoisyRow {
  std::vector<TokenId> ids, types;  ///< types empty or of the same length
};

/// The row with the noise in its share of the words, each drawn apart. Words are tokens from one
/// that begins a word to the next, and each token of Chinese characters; special tokens and what
/// they separate stay where they are.
NoisyRow with_word_noise(const NoisyRow& row, const WordNoise& how, const Tokenizer& tokenizer,
                         Random draws);

}  // namespace llmctl
