// Labelled spans of texts as models find them, for people and in records.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "metrics/entities.h"
#include "tasks/answer.h"

namespace llmctl {

/// An entity that tags spell, in bytes of the text, and the mean probability of its tags.
struct PredictedEntity {
  Entity entity;
  double probability = 0;
};

/// A span of a text as a model labels it.
struct LabelledSpan {
  std::string text, type;          ///< type kUntyped: of a segmentation
  std::size_t begin = 0, end = 0;  ///< in Unicode code points of the text
  double probability = 0;          ///< mean of its words' probabilities
};

std::vector<LabelledSpan> labelled_spans(std::string_view text,
                                         std::span<const PredictedEntity> predicted);

/// A list of {"text", "label" (none of a segmentation), "start", "end" (code points),
/// "probability"}.
Json spans_json(std::span<const LabelledSpan> spans);

/// The spans of a text.
class SpansAnswer : public Answer {
 public:
  /// `joined`: the text that the offsets count in, where the input had a list of words.
  SpansAnswer(std::vector<LabelledSpan> spans, std::optional<std::string> joined)
      : spans_(std::move(spans)), joined_(std::move(joined)) {}
  const std::vector<LabelledSpan>& spans() const { return spans_; }
  /// "prediction": spans_json(); "text" where the input had a list of words.
  Json record() const override;
  /// A line for each span, or the words of a segmentation with blanks between them.
  std::string text() const override;

 private:
  std::vector<LabelledSpan> spans_;
  std::optional<std::string> joined_;
};

}  // namespace llmctl
