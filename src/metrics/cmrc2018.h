// Exact match and F1 of Chinese answers as the CMRC 2018 script defines them (Cui et al., 2019).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/squad.h"

namespace llmctl {

/// The units that F1 counts: each Chinese character (U+4E00 to U+9FA5) alone, the words of the rest
/// (metrics/treebank.h); lower case, without the punctuation marks of the script's list.
std::vector<std::u32string> cmrc2018_segments(std::string_view text);

/// Against one reference: equality without those marks, and F1 from the longest run of segments
/// that both have in common.
AnswerScore cmrc2018_score(std::string_view prediction, std::string_view reference);

/// The best over the references; none means that the empty prediction is right.
AnswerScore cmrc2018_score(std::string_view prediction, std::span<const std::string> references);

}  // namespace llmctl
