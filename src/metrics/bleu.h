// BLEU (Papineni et al., 2002) as sacreBLEU 2.6 computes it, with exponential smoothing.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace llmctl {

/// What the score follows from; those of sentences add up to their corpus's.
struct BleuCounts {
  static constexpr std::size_t kOrders = 4;
  double length = 0;            ///< words of the translation
  double reference_length = 0;  ///< of the reference that is nearest in length, the shorter of two
  std::array<double, kOrders> correct{}, total{};  ///< n-grams of one to four words
};

/// Of one sentence: the words of its translation and of its references (one at least).
BleuCounts bleu_counts(const std::vector<std::string_view>& translation,
                       std::span<const std::vector<std::string_view>> references);

struct BleuScore {
  double score = 0;  ///< 0 to 100
  std::array<double, BleuCounts::kOrders> precisions{};
  double brevity_penalty = 1;
};

/// `effective_order` leaves out the orders that the text is too short for: for single sentences.
BleuScore bleu_score(const BleuCounts& counts, bool effective_order = false);

}  // namespace llmctl
