// Classification of texts or pairs of texts into named classes.
#pragma once

#include <memory>

#include "tasks/task.h"

namespace llmctl {

/// Section "task" of type sequence_classification.
struct SequenceClassificationConfig {
  std::string type = "sequence_classification";
  std::optional<std::string> text_field, pair_field, label_field, weight_field;
  std::vector<std::string> labels;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"sequence_classification"}});
    visit("text_field", self.text_field,
          "Field of the text; absent: text, sentence, review, content, … as the file has it.");
    visit("pair_field", self.pair_field,
          "Field of a second text; absent: the usual partner of the first (sentence2, hypothesis, "
          "…) if there is one.");
    visit("label_field", self.label_field,
          "Field of the class; absent: label, class, category, … as the file has it.");
    visit("weight_field", self.weight_field,
          "Field of a record's weight in the loss (weak labels); absent: weight, where a record "
          "has it.");
    visit("labels", self.labels,
          "Names of the classes in the order of their ids; empty: those of the training data, "
          "sorted.");
  }
};

/// Classes of a text, or values, as the model's problem_type says.
class ClassAnswer : public Answer {
 public:
  /// `values`: probabilities of the classes `names`, or (regression) the outputs.
  ClassAnswer(ProblemType problem, std::vector<std::string> names, std::vector<float> values)
      : problem_(problem), names_(std::move(names)), values_(std::move(values)) {}
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<float>& values() const { return values_; }
  /// The best class; of several labels those of at least 50 %.
  std::vector<std::string> chosen() const;
  /// "prediction" (a class, a list of classes, a value) and "scores", each class's probability or
  /// value.
  Json record() const override;
  std::string text() const override;

 private:
  ProblemType problem_;
  std::vector<std::string> names_;
  std::vector<float> values_;
};

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
