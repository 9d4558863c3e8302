// Scores of short texts (answers) in Chinese and English together: each by the rule of its
// language.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/score.h"
#include "metrics/squad.h"

namespace llmctl {

/// True where the text holds a CJK ideograph.
bool contains_cjk(std::string_view text);

/// Which rule scores an answer: SQuAD's, CMRC 2018's, or the one of the language: Chinese where the
/// question or a reference holds a CJK ideograph.
enum class AnswerMetric { kAuto, kSquad, kCmrc2018 };
/// "auto", "squad" or "cmrc2018".
AnswerMetric parse_answer_metric(std::string_view name);
std::vector<std::string> answer_metric_names();

/// Sums over questions; as plain numbers, so that several processes can add theirs.
class AnswerTotals {
 public:
  explicit AnswerTotals(AnswerMetric metric = AnswerMetric::kAuto) : metric_(metric) {}

  /// Scores one prediction.
  AnswerScore add(std::string_view prediction, std::span<const std::string> references,
                  std::string_view question = {});

  /// exact_match, f1 and the number of questions, "total"; with questions of both languages also
  /// en.exact_match, zh.f1, …; where some questions have no answer also has_answer.exact_match,
  /// no_answer.f1, ….
  Scores scores() const;

  /// The same without the numbers of questions: what a validation records.
  Scores percentages() const;

  /// What scores() or, without totals, percentages() may give.
  static std::vector<ScoreKind> kinds(bool with_totals);

  std::span<double> numbers() { return numbers_; }  ///< to be summed over processes

 private:
  /// Per language and per has-answer: exact match, F1, count.
  static constexpr std::size_t kGroups = 4, kValues = 3;
  AnswerMetric metric_;
  std::array<double, kGroups * kValues> numbers_{};
};

}  // namespace llmctl
