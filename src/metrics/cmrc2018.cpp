#include "metrics/cmrc2018.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "metrics/treebank.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// The script's list also has "……", which as two characters never equals one: it stays.
constexpr std::u32string_view kPunctuation = U"-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』";

/// Lower case without white space at the ends and without the listed marks.
std::u32string normalized(std::string_view text) {
  std::u32string out;
  text = trim(text);
  for (std::size_t offset = 0; offset < text.size();) {
    const char32_t c = to_lower(next_code_point(text, offset));
    if (kPunctuation.find(c) == std::u32string_view::npos) out += c;
  }
  return out;
}

std::vector<std::u32string> segments(std::u32string_view text) {
  std::vector<std::u32string> out;
  std::size_t begin = 0;
  const auto flush = [&](std::size_t end) {
    for (std::u32string& word : treebank_words(text.substr(begin, end - begin))) {
      out.push_back(std::move(word));
    }
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 0x4E00 || text[i] > 0x9FA5) continue;
    flush(i);
    out.emplace_back(1, text[i]);
    begin = i + 1;
  }
  flush(text.size());
  return out;
}

std::size_t longest_common_run(const std::vector<std::u32string>& a,
                               const std::vector<std::u32string>& b) {
  std::vector<std::size_t> row(b.size() + 1), previous(b.size() + 1);
  std::size_t best = 0;
  for (const std::u32string& x : a) {
    std::swap(row, previous);
    for (std::size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = x == b[j] ? previous[j] + 1 : 0;
      best = std::max(best, row[j + 1]);
    }
  }
  return best;
}

}  // namespace

std::vector<std::u32string> cmrc2018_segments(std::string_view text) {
  return segments(normalized(text));
}

AnswerScore cmrc2018_score(std::string_view prediction, std::string_view reference) {
  const std::u32string predicted = normalized(prediction), expected = normalized(reference);
  const double exact = predicted == expected ? 1.0 : 0.0;
  const auto a = segments(expected), b = segments(predicted);
  if (a.empty() && b.empty()) return {exact, 0.0};
  const double common = static_cast<double>(longest_common_run(a, b));
  return {exact, 2 * common / static_cast<double>(a.size() + b.size())};
}

AnswerScore cmrc2018_score(std::string_view prediction, std::span<const std::string> references) {
  if (references.empty()) {
    const double none = normalized(prediction).empty() ? 1.0 : 0.0;
    return {none, none};
  }
  AnswerScore best;
  for (const std::string& reference : references) {
    const AnswerScore score = cmrc2018_score(prediction, std::string_view(reference));
    best = {std::max(best.exact_match, score.exact_match), std::max(best.f1, score.f1)};
  }
  return best;
}

}  // namespace llmctl
