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

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
