// Section "task" of sequence classification.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "models/model.h"
#include "tasks/teacher.h"
#include "tasks/word_noise.h"
#include "text/truncate.h"

namespace llmctl {

/// The value of class_weights by which classes count in inverse proportion to how often they occur.
inline constexpr const char* kBalanced = "balanced";

/// Section "task" of type sequence_classification.
struct SequenceClassificationConfig {
  std::string type = "sequence_classification";
  std::optional<std::string> problem_type;
  std::optional<std::string> text_field, pair_field, label_field, weight_field, confidence_field;
  std::optional<bool> pairs;
  std::vector<std::string> labels;
  std::string label_separator = ",";
  std::optional<std::string> truncation_side;
  Json class_weights;
  double label_smoothing = 0, focal_gamma = 0;
  double consistency = 0, word_noise = 0;
  std::string word_noise_kind = "mask";
  std::optional<DistillationConfig> distillation;
  std::vector<std::string> unlabelled;
  std::optional<double> unlabelled_share;
  bool calibrate = true;
  std::optional<double> temperature;
  std::map<std::string, double> thresholds;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"sequence_classification"}});
    visit("problem_type", self.problem_type,
          "What labels are: one class for each text, any number of them, or a number (regression). "
          "Absent: one class; of a trained model what it was trained for.",
          OneOf{{"single_label_classification", "multi_label_classification", "regression"}});
    visit("text_field", self.text_field,
          "Field of the text; absent: text, sentence, review, content, … as the file has it.");
    visit("pair_field", self.pair_field,
          "Field of a second text; absent: the usual partner of the first (sentence2, hypothesis, "
          "…) if there is one.");
    visit(
        "pairs", self.pairs,
        "Whether a text has a second one beside it: true: each has, false: none has, whatever its "
        "record holds. Absent: as the training data have it, for all that the model reads.");
    visit("label_field", self.label_field,
          "Field of the class; absent: label, class, category, … as the file has it (of several "
          "labels labels, tags, … too; of numbers score, … too).");
    visit("label_separator", self.label_separator,
          "What stands between the labels of a text where they are one string and no list.");
    visit("weight_field", self.weight_field,
          "Field of a record's weight in the loss (weak labels); absent: weight, where a record "
          "has it.");
    visit("confidence_field", self.confidence_field,
          "Field of how sure a record's label is, 0 to 1, which multiplies its weight; absent: "
          "confidence, where a record has it.");
    visit("truncation_side", self.truncation_side,
          "What a text loses that has more tokens than data.sequence_length (of a pair the longer "
          "text first): its end (right), its beginning (left), or its middle, a quarter of what "
          "stays being the beginning (Sun et al., 2019). Absent: of a trained model as it was "
          "trained, else as the tokenizer's files say, else right.",
          OneOf{truncation_side_names()});
    visit("labels", self.labels,
          "Names of the classes in the order of their ids; empty: those of the training data, "
          "sorted.");
    visit("class_weights", self.class_weights,
          "Weights of the classes in the loss: {\"NAME\": WEIGHT} (others 1), or \"balanced\": in "
          "inverse proportion to how often they occur. Of several labels the weight of a label's "
          "presence against its absence.",
          Kinds{"string or object or null"});
    visit("label_smoothing", self.label_smoothing,
          "Share of the probability that the target spreads evenly over all classes.",
          Range<double>{0, 0.99});
    visit("focal_gamma", self.focal_gamma,
          "Focal loss: losses count (1 − p)^focal_gamma times, p being the probability of what is "
          "right; 0: as they are.",
          Range<double>{0, 20});
    visit("consistency", self.consistency,
          "Each text is read twice under different dropout, and the two predictions' divergence "
          "counts so often in the loss (R-Drop, Wu et al., 2021); 0: once.",
          Range<double>{0, 1000});
    visit("word_noise", self.word_noise,
          "Of consistency: so large a share of the words of the second reading is changed, too; 0: "
          "none.",
          Range<double>{0, 0.9});
    visit("word_noise_kind", self.word_noise_kind,
          "How: mask puts the token of masks (without one the unknown) in a word's place, drop "
          "leaves it out, swap exchanges it with the next one.",
          OneOf{word_noise_names()});
    visit("distillation", self.distillation, "Learn from another model's probabilities, too.");
    visit("unlabelled", self.unlabelled,
          "Texts without labels (.jsonl, .json, .csv, .tsv, plain text by lines) that consistency "
          "and distillation learn from, too.",
          OneOrMore{}, PathKey{});
    visit("unlabelled_share", self.unlabelled_share,
          "Of unlabelled: their share of the rows, absent: 0.5; whichever kind is too few for it, "
          "these texts or those with labels, is passed over more often in an epoch.",
          Range<double>{0.01, 0.99});
    visit("calibrate", self.calibrate,
          "Fit a temperature, and thresholds of several labels, on the held-out texts at each "
          "validation and leave them in config.json; generate and eval apply them.",
          Change::kFree);
    visit("temperature", self.temperature,
          "Logits are divided by it for probabilities; absent: the model's own.",
          Range<double>{1e-3, 1e3}, Change::kFree);
    visit("thresholds", self.thresholds,
          "Of several labels: the least probability of a label that is given; of labels that are "
          "not named here the model's own, else 0.5.",
          Range<double>{0, 1}, Change::kFree);
  }
  void validate(const ConfigNode& node) const;
  /// The problem that the section names; nothing where it names none.
  std::optional<ProblemType> problem() const;
};

}  // namespace llmctl
