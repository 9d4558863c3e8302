// `data label`: weak labels of texts by rules that vote.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

struct LabellingRequest {
  std::vector<std::string> inputs;  ///< files of texts, as self-training reads them
  std::string rules, output;        ///< a file of rules; JSONL of what was labelled
  std::string text_field;           ///< empty: text, sentence, review, …
  double threshold = 0;             ///< least probability of a label that is written
  bool skip_bad = false, overwrite = false;
};

struct RuleReport {
  std::string name, label;
  std::size_t votes = 0, overlaps = 0,
              conflicts = 0;  ///< texts; with other votes; with other labels
  double accuracy = 0;        ///< as the label model estimates it
};

struct LabellingReport {
  std::size_t texts = 0, voted = 0, written = 0;
  std::vector<RuleReport> rules;
  Json to_json() const;
};

/// Writes the texts for whose labels the rules voted: records with a label and its probability as
/// the confidence, which sequence_classification weighs them by.
LabellingReport label_texts(const LabellingRequest& request);

}  // namespace llmctl
