// Language identification by CLD2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

struct LanguageGuess {
  std::string code = "un";  ///< "en", "zh", "zh-Hant", …; "un": unknown
  double share = 0;         ///< of the text's letters that are in it
};

/// The language that most of a text is in. kConfig, naming the package, in a build without CLD2.
LanguageGuess identify_language(std::string_view text);

/// Keeps texts of some languages. "zh" takes simplified and traditional Chinese.
class LanguageFilter {
 public:
  /// kConfig for unknown codes, and in a build without CLD2.
  LanguageFilter(std::vector<std::string> codes, double confidence);
  bool keeps(std::string_view text) const;

 private:
  std::vector<std::string> codes_;
  double confidence_;
};

}  // namespace llmctl
