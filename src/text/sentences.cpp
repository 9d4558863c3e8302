#include "text/sentences.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/utf8.h"
#include "base/white_space.h"
#include "text/characters.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// Words before a full stop that end no sentence, in small letters; of English, German, French and
/// Spanish.
constexpr std::array<std::string_view, 58> kAbbreviations = {
    "mr",   "mrs",  "ms",  "dr",   "prof", "st",   "jr",   "sr",  "vs",  "etc", "e.g", "i.e",
    "cf",   "al",   "no",  "nos",  "fig",  "vol",  "pp",   "ed",  "eds", "inc", "ltd", "co",
    "corp", "dept", "gen", "gov",  "lt",   "sgt",  "capt", "col", "rev", "hon", "mt",  "approx",
    "jan",  "feb",  "aug", "sept", "oct",  "nov",  "dec",  "z.b", "d.h", "u.a", "bzw", "usw",
    "ca",   "nr",   "abb", "evtl", "ggf",  "inkl", "hr",   "fr",  "sra", "mme"};

bool is_full_stop(char32_t c) {
  return c == U'。' || c == U'！' || c == U'？' || c == U'｡';
}

bool is_stop(char32_t c) {
  return c == U'.' || c == U'!' || c == U'?' || c == U'…';
}

/// Quotation marks and brackets behind a stop belong to its sentence.
bool closes(char32_t c) {
  constexpr std::u32string_view kClosing = U"\"')]}”’»›」』）】》〉";
  return kClosing.find(c) != kClosing.npos;
}

/// Whether a full stop behind this part of the sentence may be no end.
bool is_abbreviated(std::string_view before) {
  const std::size_t space = before.find_last_of(" \t(\"'");
  const std::string word = to_lower(before.substr(space == before.npos ? 0 : space + 1));
  if (word.empty()) return false;
  if (count_code_points(word) == 1 && !is_cjk(code_points(word)[0])) return true;  // an initial
  const bool number =
      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number) return word.size() <= 2;
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), word) != kAbbreviations.end();
}

}  // namespace

std::vector<std::string_view> split_sentences(std::string_view line) {
  std::vector<std::string_view> sentences;
  std::size_t begin = 0;
  const auto end_at = [&](std::size_t end) {
    const std::string_view sentence = trim_white_space(line.substr(begin, end - begin));
    if (!sentence.empty()) sentences.push_back(sentence);
    begin = end;
  };
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t place = at;
    const char32_t stop = next_code_point(line, at);
    if (!is_full_stop(stop) && !is_stop(stop)) continue;
    bool full = is_full_stop(stop);
    // Further stops ("?!", "...") and what closes.
    std::size_t end = at;
    while (end < line.size()) {
      std::size_t next = end;
      const char32_t c = next_code_point(line, next);
      if (!is_stop(c) && !is_full_stop(c) && !closes(c)) break;
      full = full || is_full_stop(c);
      end = next;
    }
    if (full) {
      end_at(end);
    } else if (end < line.size()) {
      std::size_t next = end;
      char32_t c = next_code_point(line, next);
      const bool space = is_white_space(c);
      while (is_white_space(c) && next < line.size()) c = next_code_point(line, next);
      const bool dot = stop == U'.' && end == at;
      if (space && category(c) != UTF8PROC_CATEGORY_LL &&
          !(dot && is_abbreviated(line.substr(begin, place - begin)))) {
        end_at(end);
      }
    }
    at = end;
  }
  end_at(line.size());
  return sentences;
}

}  // namespace llmctl
