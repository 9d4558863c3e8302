#include "metrics/answers.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "metrics/cmrc2018.h"

namespace llmctl {

bool contains_cjk(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    if (is_cjk(next_code_point(text, offset))) return true;
  }
  return false;
}

AnswerMetric parse_answer_metric(std::string_view name) {
  if (name == "auto") return AnswerMetric::kAuto;
  if (name == "squad") return AnswerMetric::kSquad;
  if (name == "cmrc2018") return AnswerMetric::kCmrc2018;
  fail(ErrorCode::kConfig, "metric: expected auto, squad or cmrc2018, got '", name, "'");
}

std::vector<std::string> answer_metric_names() {
  return {"auto", "squad", "cmrc2018"};
}

AnswerScore AnswerTotals::add(std::string_view prediction, std::span<const std::string> references,
                              std::string_view question) {
  // A number or a Latin name that answers a Chinese question has no ideograph of its own.
  bool chinese = contains_cjk(question);
  for (const std::string& reference : references) chinese = chinese || contains_cjk(reference);
  const bool by_cmrc =
      metric_ == AnswerMetric::kCmrc2018 || (metric_ == AnswerMetric::kAuto && chinese);
  const AnswerScore score =
      by_cmrc ? cmrc2018_score(prediction, references) : squad_score(prediction, references);
  double* group = &numbers_[((chinese ? 2 : 0) + (references.empty() ? 1 : 0)) * kValues];
  group[0] += score.exact_match;
  group[1] += score.f1;
  group[2] += 1;
  return score;
}

Scores AnswerTotals::scores() const {
  Scores out;
  const auto put = [&](const std::string& prefix, std::initializer_list<std::size_t> groups,
                       bool always) {
    double exact = 0, f1 = 0, count = 0;
    for (std::size_t group : groups) {
      exact += numbers_[group * kValues];
      f1 += numbers_[group * kValues + 1];
      count += numbers_[group * kValues + 2];
    }
    if (count == 0 && !always) return;
    const double items = count == 0 ? 1.0 : count;
    out.add(percent_score(prefix + "exact_match", exact / items, count));
    out.add(percent_score(prefix + "f1", f1 / items, count));
    out.add(count_score(prefix + "total", count));
  };
  const auto count = [&](std::size_t group) { return numbers_[group * kValues + 2]; };
  put("", {0, 1, 2, 3}, true);
  if (count(0) + count(1) > 0 && count(2) + count(3) > 0) {
    put("en.", {0, 1}, false);
    put("zh.", {2, 3}, false);
  }
  if (count(1) + count(3) > 0) {
    put("has_answer.", {0, 2}, false);
    put("no_answer.", {1, 3}, false);
  }
  return out;
}

Scores AnswerTotals::percentages() const {
  Scores out;
  for (const Score& score : scores())
    if (score.kind.scale != Scale::kCount) out.add(score);
  return out;
}

std::vector<ScoreKind> AnswerTotals::kinds(bool with_totals) {
  std::vector<ScoreKind> out;
  for (const std::string prefix : {"", "en.", "zh.", "has_answer.", "no_answer."}) {
    out.push_back(percent_kind(prefix + "exact_match"));
    out.push_back(percent_kind(prefix + "f1"));
    if (with_totals) out.push_back(count_kind(prefix + "total"));
  }
  return out;
}

}  // namespace llmctl
