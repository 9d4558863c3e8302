// How far two lists of numbers go together.
#pragma once

#include <span>

namespace llmctl {

/// Pearson's product-moment correlation, -1 to 1. Not a number where it is undefined: fewer than
/// two pairs, or a list whose values are all equal. Both lists have the same length.
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs.
double spearman(std::span<const double> a, std::span<const double> b);

}  // namespace llmctl
