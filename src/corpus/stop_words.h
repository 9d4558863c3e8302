// Words that say little by themselves, for texts whose words are counted.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "text/chinese_words.h"

namespace llmctl {

class StopWords {
 public:
  /// "zh", "en", "zh,en", or a file with one word a line and comments behind "#". kMissing.
  explicit StopWords(const std::string& which);
  bool has(std::string_view word) const;  ///< whatever its case
  /// Takes them out of a text, with the space behind them; returns how many there were.
  std::uint64_t remove(std::string& text, const ChineseWords& words) const;

 private:
  void add_list(const char* list);
  std::unordered_set<std::string> words_;
};

}  // namespace llmctl
