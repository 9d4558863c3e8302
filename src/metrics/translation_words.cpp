#include "metrics/translation_words.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr std::array kTokenizerNames = {
    std::pair{BleuTokenizer::k13a, "13a"}, std::pair{BleuTokenizer::kIntl, "intl"},
    std::pair{BleuTokenizer::kZh, "zh"}, std::pair{BleuTokenizer::kChar, "char"},
    std::pair{BleuTokenizer::kNone, "none"}};

/// The signs that mteval-v13a always takes apart.
bool western_sign(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

/// Where a rule puts spaces around the second character of a pair: it puts one before it always.
enum class PairSpace { kBehindSecond, kBeforeFirst };

/// Rewrites each pair of neighbours that the two conditions hold for, from left to right; a
/// character belongs to one pair at most.
template <class Text, class First, class Second>
Text space_pairs(const Text& text, First first, Second second, PairSpace space) {
  Text out;
  out.reserve(text.size() + text.size() / 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() || !first(text[i]) || !second(text[i + 1])) {
      out += text[i];
      continue;
    }
    if (space == PairSpace::kBeforeFirst) out += ' ';
    out += text[i];
    out += ' ';
    out += text[++i];
    if (space == PairSpace::kBehindSecond) out += ' ';
  }
  return out;
}

/// The parts of mteval-v13a for Western languages: signs, then points, commas and dashes. Their
/// characters are ASCII, and any byte of another character is neither digit nor sign, so bytes do
/// as well as code points.
std::string separate_signs(std::string_view text) {
  std::string signs;
  signs.reserve(2 * text.size());
  for (const char c : text) {
    if (western_sign(c)) {
      signs += ' ';
      signs += c;
      signs += ' ';
    } else {
      signs += c;
    }
  }
  return signs;
}

std::string separate_stops(std::string text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto other = [&](char c) { return !digit(c); };
  const auto stop = [](char c) { return c == '.' || c == ','; };
  const auto dash = [](char c) { return c == '-'; };
  text = space_pairs(text, other, stop, PairSpace::kBehindSecond);
  text = space_pairs(text, stop, other, PairSpace::kBeforeFirst);
  return space_pairs(text, digit, dash, PairSpace::kBehindSecond);
}

std::string separate_western(std::string_view text) {
  return separate_stops(separate_signs(text));
}

void replace_each(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

/// The characters that XML escapes, in the order in which mteval takes them.
void unescape_xml(std::string& line) {
  if (line.find('&') == std::string::npos) return;
  replace_each(line, "&quot;", "\"");
  replace_each(line, "&amp;", "&");
  replace_each(line, "&lt;", "<");
  replace_each(line, "&gt;", ">");
}

std::string separate_13a(std::string_view text) {
  std::string line(text);
  replace_each(line, "<skipped>", "");
  replace_each(line, "-\n", "");
  replace_each(line, "\n", " ");
  unescape_xml(line);
  return separate_western(" " + line + " ");
}

bool among(char32_t c, std::span<const std::pair<char32_t, char32_t>> ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return c >= range.first && c <= range.second; });
}

/// Punctuation of Asian texts, in sacreBLEU's copy of Tercom.
bool asian_punctuation(char32_t c) {
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x3001, 0x3002}, {0x3008, 0x3011}, {0x3014, 0x301F}, {0xFF61, 0xFF65},
      {0x30FB, 0x30FB}, {0xFF0E, 0xFF0E}, {0xFF0C, 0xFF0C}, {0xFF1F, 0xFF1F},
      {0xFF1A, 0xFF1B}, {0xFF01, 0xFF02}, {0xFF08, 0xFF09}};
  return among(c, kRanges);
}

/// What it takes apart there. U+3200 to U+3F22 is what its code says; the block of enclosed letters
/// that it names ends at U+32FF.
bool asian_character(char32_t c) {
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x4E00, 0x9FFF}, {0x3400, 0x4DBF}, {0x31C0, 0x31EF}, {0x2E80, 0x2EFF},
      {0x3300, 0x33FF}, {0xF900, 0xFAFF}, {0xFE30, 0xFE4F}, {0x3200, 0x3F22}};
  return among(c, kRanges) || asian_punctuation(c);
}

/// Each character that `chosen` holds for becomes what `by` makes of it.
template <class Chosen, class By>
std::string rewrite(std::string_view text, Chosen chosen, By by) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const bool found = chosen(next_code_point(text, at));
    const std::string_view character = text.substr(begin, at - begin);
    if (found) {
      by(out, character);
    } else {
      out += character;
    }
  }
  return out;
}

/// The first letter of a code point's category: 'N', 'P', 'S', ….
char major_category(char32_t c) {
  return utf8proc_category_string(static_cast<utf8proc_int32_t>(c))[0];
}

std::string separate_international(std::string_view text) {
  const std::vector<char32_t> points = code_points(text);
  std::u32string line(points.begin(), points.end());
  const auto no_number = [](char32_t c) { return major_category(c) != 'N'; };
  const auto punctuation = [](char32_t c) { return major_category(c) == 'P'; };
  line = space_pairs(line, no_number, punctuation, PairSpace::kBehindSecond);
  line = space_pairs(line, punctuation, no_number, PairSpace::kBeforeFirst);
  std::string out;
  for (const char32_t c : line) {
    const bool symbol = major_category(c) == 'S';
    if (symbol) out += ' ';
    append_utf8(out, c);
    if (symbol) out += ' ';
  }
  return out;
}

/// What sacreBLEU's tokenizer "zh" takes for a Chinese character. Its list means U+20000 to U+2A6D6
/// and is read as U+2001 to U+2A6D, with the dashes, quotation marks and arrows in it; digits equal
/// to its own need the same.
bool chinese_by_sacrebleu(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
      {0x31C0, 0x31EF}, {0x3200, 0x33FF}, {0x3400, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D},
      {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [&](const auto& range) { return c >= range.first && c <= range.second; });
}

std::string separate_chinese(std::string_view text) {
  std::string out;
  text = trim(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const bool alone = chinese_by_sacrebleu(next_code_point(text, at));
    if (alone) out += ' ';
    out += text.substr(begin, at - begin);
    if (alone) out += ' ';
  }
  return separate_western(out);
}

std::string separate_characters(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    next_code_point(text, at);
    out += text.substr(begin, at - begin);
    out += ' ';
  }
  return out;
}

/// Unicode's Cased, for the final sigma.
bool is_cased(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:
      return c == 0xAA || c == 0xBA;
  }
}

/// Unicode's Case_Ignorable.
bool is_case_ignorable(char32_t c) {
  constexpr std::u32string_view kInsideWords =
      U"':.\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return kInsideWords.find(c) != kInsideWords.npos;
  }
}

/// Whether the sigma at `at` ends a word: a cased letter before it, none behind it.
bool sigma_is_final(const std::vector<char32_t>& text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  std::size_t behind = at + 1;
  while (behind < text.size() && is_case_ignorable(text[behind])) ++behind;
  return behind == text.size() || !is_cased(text[behind]);
}

bool only_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

BleuTokenizer parse_bleu_tokenizer(std::string_view name) {
  for (const auto& [tokenizer, known] : kTokenizerNames)
    if (name == known) return tokenizer;
  fail(ErrorCode::kConfig, "BLEU tokenizer: expected one of ", join(bleu_tokenizer_names()),
       ", got '", name, "'");
}

const char* bleu_tokenizer_name(BleuTokenizer tokenizer) {
  return std::find_if(kTokenizerNames.begin(), kTokenizerNames.end(),
                      [&](const auto& pair) { return pair.first == tokenizer; })
      ->second;
}

std::vector<std::string> bleu_tokenizer_names() {
  std::vector<std::string> names;
  for (const auto& [tokenizer, name] : kTokenizerNames) names.emplace_back(name);
  return names;
}

std::string separate_words(std::string_view text, BleuTokenizer tokenizer) {
  text = trim_end(text);
  switch (tokenizer) {
    case BleuTokenizer::k13a:
      return separate_13a(text);
    case BleuTokenizer::kIntl:
      return separate_international(text);
    case BleuTokenizer::kZh:
      return separate_chinese(text);
    case BleuTokenizer::kChar:
      return separate_characters(text);
    case BleuTokenizer::kNone:
      break;
  }
  return std::string(text);
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  const auto end_word = [&](std::size_t end) {
    if (end > begin) words.push_back(text.substr(begin, end - begin));
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    if (!is_space(next_code_point(text, at))) continue;
    end_word(here);
    begin = at;
  }
  end_word(text.size());
  return words;
}

std::string ter_text(std::string_view text, const TerOptions& options) {
  text = trim_end(text);
  if (text.empty()) return "";
  std::string line = options.case_sensitive ? std::string(text) : python_lower(text);
  if (options.normalized) {
    replace_each(line, "\n-", "");
    replace_each(line, "\n", " ");
    unescape_xml(line);
    line = separate_signs(" " + line + " ");
    replace_each(line, "'s ", " 's ");
    line = separate_stops(std::move(line));
    if (options.asian_support) {
      line = rewrite(line, asian_character, [](std::string& out, std::string_view character) {
        out.append(" ").append(character).append(" ");
      });
    }
  }
  if (options.no_punct) {
    const auto left_out = [&](char32_t c) {
      return std::u32string_view(U".,?:;!\"()").find(c) != std::u32string_view::npos ||
             (options.asian_support && asian_punctuation(c));
    };
    line = rewrite(line, left_out, [](std::string&, std::string_view) {});
  }
  return line;
}

std::string python_lower(std::string_view text) {
  if (only_ascii(text)) return to_lower(text);
  const std::vector<char32_t> points = code_points(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i] == 0x130) {
      out += "i\u0307";
    } else if (points[i] == 0x3A3) {
      append_utf8(out, sigma_is_final(points, i) ? 0x3C2 : 0x3C3);
    } else {
      append_utf8(out, to_lower(points[i]));
    }
  }
  return out;
}

std::string_view trim_end(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t last = end - 1;
    while (last > 0 && (text[last] & 0xC0) == 0x80) --last;
    std::size_t at = last;
    if (!is_space(next_code_point(text, at))) break;
    end = last;
  }
  return text.substr(0, end);
}

}  // namespace llmctl
