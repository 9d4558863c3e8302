#include "metrics/squad.h"

#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

bool is_article(std::u32string_view word) {
  return word == U"a" || word == U"an" || word == U"the";
}

/// Normalised words. An article counts as one where no letter or digit touches it ("the—cat").
std::vector<std::u32string> normalized_words(std::string_view text) {
  std::u32string kept;
  for (std::size_t offset = 0; offset < text.size();) {
    const char32_t c = to_lower(next_code_point(text, offset));
    if (!is_ascii_punctuation(c)) kept += c;
  }
  std::u32string without;
  for (std::size_t i = 0; i < kept.size();) {
    std::size_t end = i;
    while (end < kept.size() && is_alphanumeric(kept[end])) ++end;
    if (end == i) {
      without += kept[i++];
      continue;
    }
    const std::u32string_view run(kept.data() + i, end - i);
    if (is_article(run)) {
      without += U' ';
    } else {
      without += run;
    }
    i = end;
  }
  std::vector<std::u32string> words;
  for (std::size_t i = 0; i < without.size();) {
    std::size_t end = i;
    while (end < without.size() && !is_space(without[end])) ++end;
    if (end > i) words.push_back(without.substr(i, end - i));
    i = end + 1;
  }
  return words;
}

double bag_f1(const std::vector<std::u32string>& a, const std::vector<std::u32string>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1.0 : 0.0;
  std::map<std::u32string_view, int> left;
  for (const std::u32string& word : a) ++left[word];
  double same = 0;
  for (const std::u32string& word : b) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++same;
  }
  return 2 * same / static_cast<double>(a.size() + b.size());
}

}  // namespace

std::string squad_normalize(std::string_view text) {
  std::string out;
  for (const std::u32string& word : normalized_words(text)) {
    if (!out.empty()) out += ' ';
    for (char32_t c : word) append_utf8(out, c);
  }
  return out;
}

AnswerScore squad_score(std::string_view prediction, std::string_view reference) {
  const auto predicted = normalized_words(prediction), expected = normalized_words(reference);
  return {predicted == expected ? 1.0 : 0.0, bag_f1(predicted, expected)};
}

AnswerScore squad_score(std::string_view prediction, std::span<const std::string> references) {
  if (references.empty()) return squad_score(prediction, std::string_view());
  AnswerScore best;
  for (const std::string& reference : references) {
    const AnswerScore score = squad_score(prediction, std::string_view(reference));
    best = {std::max(best.exact_match, score.exact_match), std::max(best.f1, score.f1)};
  }
  return best;
}

NoAnswerThreshold best_no_answer_threshold(std::span<const ThresholdItem> items) {
  if (items.empty()) return {};
  std::vector<const ThresholdItem*> order;
  double current = 0;  // at a threshold below every score all answers are replaced by none
  for (const ThresholdItem& item : items) {
    order.push_back(&item);
    if (!item.has_answer) ++current;
  }
  std::stable_sort(order.begin(), order.end(), [](const ThresholdItem* a, const ThresholdItem* b) {
    return a->no_answer_score < b->no_answer_score;
  });
  NoAnswerThreshold best{current, 0.0};
  for (const ThresholdItem* item : order) {
    current += item->has_answer ? item->score : item->predicted_empty ? 0.0 : -1.0;
    if (current > best.score) best = {current, item->no_answer_score};
  }
  best.score *= 100.0 / static_cast<double>(items.size());
  return best;
}

}  // namespace llmctl
