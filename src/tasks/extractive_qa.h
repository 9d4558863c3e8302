// Extractive question answering: the answer is a span of the passage (Devlin et al., 2019,
// section 4.2).
#pragma once

#include <memory>

#include "metrics/answers.h"
#include "tasks/qa_features.h"
#include "tasks/qa_spans.h"
#include "tasks/task.h"

namespace llmctl {

/// Section "task" of type extractive_qa.
struct ExtractiveQaConfig {
  std::string type = "extractive_qa";
  std::int64_t stride = 128;
  std::int64_t max_question_tokens = 64;
  std::int64_t max_answer_tokens = 64;
  std::int64_t n_best = 20;
  bool train_on_empty_windows = true;
  std::optional<bool> no_answer;
  std::optional<double> no_answer_margin;
  std::string metric = "auto";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"extractive_qa"}});
    visit("stride", self.stride,
          "Tokens that neighbouring windows of a long passage share (at most half a window).",
          Range<std::int64_t>{0, 1'000'000});
    visit("max_question_tokens", self.max_question_tokens, "Longer questions are cut.",
          Range<std::int64_t>{1, 1'000'000});
    visit("max_answer_tokens", self.max_answer_tokens, "Longest answer that is predicted.",
          Range<std::int64_t>{1, 1'000'000}, Change::kFree);
    visit("n_best", self.n_best, "Starts and ends of a window that are combined.",
          Range<std::int64_t>{1, 1000}, Change::kFree);
    visit("train_on_empty_windows", self.train_on_empty_windows,
          "Train on windows that do not hold the answer too; they point to position 0.");
    visit("no_answer", self.no_answer,
          "May the answer be empty (SQuAD 2.0)? Absent: where the model has learnt it, or the "
          "references of a file have questions without answer.",
          Change::kFree);
    visit("no_answer_margin", self.no_answer_margin,
          "How much better \"no answer\" must score than the best span to be given (SQuAD 2.0's "
          "null score difference). Absent: where the held-out questions have some without answer, "
          "the margin of the highest exact match on them, tuned at each validation and left in "
          "config.json for generate and eval; else the model's own, or 0.",
          Range<double>{-1000, 1000}, Change::kFree);
    visit(
        "metric", self.metric,
        "Rule of exact match and F1; auto: CMRC 2018's for Chinese questions, SQuAD's for others.",
        OneOf{{"auto", "squad", "cmrc2018"}}, Change::kFree);
  }
};

/// A span of the passage.
class QaAnswer : public Answer {
 public:
  /// `begin` and `end` count the passage's code points.
  QaAnswer(SpanAnswer span, std::size_t begin, std::size_t end)
      : span_(std::move(span)), begin_(begin), end_(end) {}
  const SpanAnswer& span() const { return span_; }
  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }
  /// "prediction" (the text; empty: no answer), "score", "start" and "end" (in code points).
  Json record() const override;
  std::string text() const override { return span_.text; }

 private:
  SpanAnswer span_;
  std::size_t begin_, end_;
};

std::unique_ptr<Task> make_extractive_qa(const ExtractiveQaConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
