#include "tasks/class_predictions.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "models/labels.h"
#include "tasks/classification_report.h"
#include "tasks/labelled_texts.h"
#include "tasks/predictions.h"
#include "tasks/record_names.h"

namespace llmctl {
namespace {

/// The labels of a prediction: one text or number, or a list of them.
std::vector<std::string> predicted_labels(const Prediction& prediction, ProblemType problem,
                                          const std::string& separator) {
  if (problem == ProblemType::kSingleLabel) return {prediction.text()};
  if (!prediction.value.is_array()) return split_labels(prediction.text(), separator);
  std::vector<std::string> labels;
  for (const Json& value : prediction.value)
    labels.push_back(Prediction{prediction.id, value, prediction.place}.text());
  return labels;
}

}  // namespace

TaskEvaluation score_class_predictions(const SequenceClassificationConfig& config,
                                       ProblemType problem,
                                       const std::filesystem::path& predictions,
                                       const std::vector<std::filesystem::path>& references) {
  BadRows bad(false);  // every reference stands for a prediction
  std::vector<LabelledText> texts =
      read_labelled_texts(references, {config, problem, 0, true, true}, bad);
  if (texts.empty()) bad.settle();
  require(!texts.empty(), ErrorCode::kData,
          references.empty() ? "classification" : references.front().string(), ": no texts");
  std::vector<std::string> names = config.labels.empty() ? label_names(texts) : config.labels;
  if (problem == ProblemType::kRegression) {
    names = numbered_labels(1);
  } else {
    resolve_classes(texts, names, bad);
  }
  bad.settle();
  const auto texts_of = [](const LabelledText& text) {
    return text.pair ? std::vector{text.text, *text.pair} : std::vector{text.text};
  };
  std::vector<ReferenceInput> inputs;
  for (const LabelledText& text : texts)
    inputs.push_back({id_text(text.id), texts_of(text), text.place});
  const auto read = [&](const AnswerInput& input) {
    return texts_of(read_text_input(input, config));
  };
  const std::vector<Prediction> given =
      match_predictions(read_predictions(predictions), inputs, predictions, read);
  TaskEvaluation evaluation;
  std::vector<std::vector<std::size_t>> classes(texts.size());
  std::vector<double> values(texts.size());
  const std::size_t known = names.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    evaluation.predictions.push_back({{"id", texts[i].id}, {kPrediction, given[i].value}});
    if (problem == ProblemType::kRegression) {
      const auto value = parse_number(given[i].text());
      require(value.has_value(), ErrorCode::kData, given[i].place, ": expected a number, got '",
              given[i].text(), "'");
      values[i] = *value;
      continue;
    }
    for (const std::string& label : predicted_labels(given[i], problem, config.label_separator)) {
      auto id = label_id(label, names);
      if (!id) {
        // A class that no reference has is one of its own, which is always wrong.
        id = names.size();
        names.push_back(class_name(label));
      }
      classes[i].push_back(*id);
    }
    std::sort(classes[i].begin(), classes[i].end());
    // A label that is given twice is one label.
    classes[i].erase(std::unique(classes[i].begin(), classes[i].end()), classes[i].end());
  }
  if (names.size() > known) {
    log_warning(predictions.string(), ": ", names.size() - known,
                " classes are no reference's, such as '", names[known],
                "'; their predictions count as wrong");
  }
  evaluation.scores = class_scores_of(problem, names, texts, classes, values);
  evaluation.baselines.push_back(
      {class_baseline_rule(problem), class_baseline(problem, names, texts)});
  return evaluation;
}

}  // namespace llmctl
