// Rules of quality, as published for Gopher and C4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/clean_config.h"

namespace llmctl {

/// What the rules look at. Words are runs between white space; of Chinese text, every 1.6
/// characters count as one.
struct TextMeasures {
  double words = 0, mean_word_length = 0, symbol_ratio = 0, alphabetic_ratio = 0;
  double bullet_lines = 0, ellipsis_lines = 0;
  std::uint64_t stop_words = 0;
  bool mostly_latin = true;  ///< less than a fifth of the letters are Chinese characters
};
TextMeasures measure_text(std::string_view text);

/// Shares of a text that repeat: lines that stood before, their characters, characters in the most
/// frequent pair of words, and in runs of five words that stood before.
struct Repetition {
  double duplicate_lines = 0, duplicate_line_characters = 0, top_ngram = 0, duplicate_ngrams = 0;
};
Repetition measure_repetition(std::string_view text);

class QualityRules {
 public:
  explicit QualityRules(const QualityConfig& config);
  /// The rules asked for, in order.
  const std::vector<std::string>& names() const { return names_; }
  bool keeps(std::size_t rule, std::string_view text) const;

 private:
  QualityConfig config_;
  std::vector<std::string> names_;
};

}  // namespace llmctl
