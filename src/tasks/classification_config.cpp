#include "tasks/classification_config.h"

#include <set>

#include "base/strings.h"
#include "models/labels.h"
#include "tasks/labelled_texts.h"

namespace llmctl {

std::optional<ProblemType> SequenceClassificationConfig::problem() const {
  return problem_type ? find_problem_type(*problem_type) : std::nullopt;
}

void SequenceClassificationConfig::validate(const ConfigNode& node) const {
  if (!class_weights.is_null() && class_weights != kBalanced) {
    if (!class_weights.is_object())
      node.fail("class_weights",
                "expected \"balanced\" or an object, got " + dump_json(class_weights));
    for (const auto& [label, weight] : class_weights.items()) {
      if (!weight.is_number() || !(weight.get<double>() > 0)) {
        node.fail("class_weights",
                  concat("'", label, "': expected a number above 0, got ", dump_json(weight)));
      }
    }
  }
  if (pairs == false && pair_field)
    node.fail("pair_field", "is of second texts, which pairs false leaves out");
  if (focal_gamma > 0 && label_smoothing > 0)
    node.fail("focal_gamma", "goes with hard targets; leave label_smoothing at 0");
  if (!unlabelled.empty() && consistency == 0 && !distillation)
    node.fail("unlabelled", "is learnt from by consistency and distillation; neither is asked for");
  if (unlabelled.empty() && unlabelled_share)
    node.fail("unlabelled_share", "is of the texts of unlabelled, and no file is named there");
  if (word_noise > 0 && consistency == 0)
    node.fail("word_noise", "is of the second reading of consistency, which is not asked for");
  if (word_noise == 0 && word_noise_kind != SequenceClassificationConfig().word_noise_kind)
    node.fail("word_noise_kind", "is of word_noise, which is 0");
  std::set<std::string> names;
  for (const std::string& label : labels) {
    if (!names.insert(class_name(label)).second)
      node.fail("labels", concat("'", label, "' stands twice"));
  }
  if (!thresholds.empty() && problem() && problem() != ProblemType::kMultiLabel)
    node.fail("thresholds", "are of several labels (problem_type multi_label_classification)");
  if (problem() != ProblemType::kRegression) return;
  for (const char* key :
       {"labels", "class_weights", "label_smoothing", "focal_gamma", "temperature"}) {
    if (!node.has(key)) continue;
    const Json& value = node.value().at(key);
    if (value.is_null() || value == 0 || value.empty()) continue;
    node.fail(key, "has no meaning where labels are numbers (problem_type regression)");
  }
}

}  // namespace llmctl
