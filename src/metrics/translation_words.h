// Words of a translation as sacreBLEU 2.6 (Post, 2018) cuts them: mteval-v13a ("13a"), mteval-v14's
// international rules ("intl"), single Chinese characters ("zh"), characters, or nothing but white
// space. Texts are valid UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

enum class BleuTokenizer { k13a, kIntl, kZh, kChar, kNone };
/// "13a", "intl", "zh", "char" or "none". kConfig for another name.
BleuTokenizer parse_bleu_tokenizer(std::string_view name);
const char* bleu_tokenizer_name(BleuTokenizer tokenizer);
std::vector<std::string> bleu_tokenizer_names();

/// The text with its words apart: split_words() of it gives them.
std::string separate_words(std::string_view text, BleuTokenizer tokenizer);

/// sacreBLEU's options of TER.
struct TerOptions {
  bool normalized = false;      ///< Western punctuation apart, XML's escapes as their characters
  bool no_punct = false;        ///< punctuation left out
  bool asian_support = false;   ///< both for Asian texts, too, whose ideographs stand apart then
  bool case_sensitive = false;  ///< else all in small letters
  bool operator==(const TerOptions&) const = default;
};

/// The text whose words (split_words()) TER counts, as Tercom's Normalizer makes it in sacreBLEU.
std::string ter_text(std::string_view text, const TerOptions& options);

/// What stands between white space, as Python's str.split() has it.
std::vector<std::string_view> split_words(std::string_view text);

/// The text in small letters, as Python's str.lower() has it: with the final sigma, and i and a dot
/// for İ.
std::string python_lower(std::string_view text);

/// The text without white space at its end, as Python's str.rstrip() has it.
std::string_view trim_end(std::string_view text);

}  // namespace llmctl
