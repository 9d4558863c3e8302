// Translation edit rate (Snover et al., 2006) as sacreBLEU 2.6 computes it after Tercom:
// insertions, deletions, substitutions and shifts of words that make a translation its reference.
// Words stand between white space, as its defaults have it, so that a Chinese sentence is one.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace llmctl {

/// Those of sentences add up to their corpus's.
struct TerCounts {
  double edits = 0;             ///< to the reference that needs fewest
  double reference_length = 0;  ///< words, the mean of the references
};

/// Of one sentence: the words of its translation and of its references (one at least).
TerCounts ter_counts(const std::vector<std::string_view>& translation,
                     std::span<const std::vector<std::string_view>> references);

/// Edits in percent of the references' words, 0 and more.
double ter_score(const TerCounts& counts);

}  // namespace llmctl
