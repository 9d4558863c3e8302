// chrF (Popović, 2015) and chrF++ (Popović, 2017) as sacreBLEU 2.6 computes them: F2 of n-grams of
// one to six characters, white space left out, and for chrF++ of one and two words.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace llmctl {

/// What the scores follow from; those of sentences add up to their corpus's.
struct ChrfCounts {
  static constexpr std::size_t kCharacters = 6, kWords = 2, kOrders = kCharacters + kWords;
  /// N-grams of the translation (where the reference has any), of the reference, of both.
  struct Order {
    double translation = 0, reference = 0, shared = 0;
  };
  std::array<Order, kOrders> orders{};  ///< those of characters, then those of words
};

/// 0 to 100. `words` false: chrF; true: chrF++.
double chrf_score(const ChrfCounts& counts, bool words);

/// Of one sentence, against the reference that scores best by it: for chrF and for chrF++.
struct SentenceChrf {
  ChrfCounts characters, words;
};
/// kInternal without a reference.
SentenceChrf chrf_counts(std::string_view translation, std::span<const std::string> references);

}  // namespace llmctl
