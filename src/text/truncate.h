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

/// Where the tokens go from.
enum class TruncationSide {
  kRight,  ///< the end
  kLeft,   ///< the beginning
  /// Of what stays a quarter is the beginning and the rest the end (Sun et al., "How to Fine-Tune
  /// BERT for Text Classification?", 2019, section 5.3.1).
  kMiddle,
};

/// "right", "left", "middle", in the order of the values.
const std::vector<std::string>& truncation_side_names();
const std::string& truncation_side_name(TruncationSide side);
/// kConfig for others.
TruncationSide truncation_side_of(const std::string& name);

/// Takes tokens away until at most `room` are left.
void truncate(std::vector<TokenId>& ids, std::size_t room, TruncationSide side);

/// Takes tokens from the two parts until both together are at most `room`. kData when the part that
/// may be cut is shorter than what has to go.
void truncate_pair(std::vector<TokenId>& first, std::vector<TokenId>& second, std::size_t room,
                   Truncation how, TruncationSide side = TruncationSide::kRight);

}  // namespace llmctl
