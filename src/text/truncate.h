// Making sequences fit, as Hugging Face's tokenizers do.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

enum class Truncation {
  kLongestFirst,  ///< tokens go from whichever part is longer
  kOnlyFirst,
  kOnlySecond,
};

/// "longest_first", "only_first", "only_second"; kUsage for others.
Truncation truncation_of(const std::string& name);

/// Takes tokens from the ends of the two parts until both together are at most `room`. kData when
/// the part that may be cut is shorter than what has to go.
void truncate_pair(std::vector<TokenId>& first, std::vector<TokenId>& second, std::size_t room,
                   Truncation how);

}  // namespace llmctl
