#include "tasks/class_decision.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "models/labels.h"
#include "tasks/classification_config.h"
#include "tasks/labelled_texts.h"
#include "tasks/record_names.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

constexpr const char* kParams = "task_specific_params";

/// Names of a model's classes, from its config.json; "0", "1", … where it has none.
std::vector<std::string> model_labels(const Model& model) {
  const std::int64_t count = model.facts().labels;
  std::vector<std::string> names;
  const Json& config = model.config();
  for (std::int64_t id = 0; id < count; ++id) {
    const std::string key = std::to_string(id);
    const bool named = config.contains("id2label") && config.at("id2label").is_object() &&
                       config.at("id2label").contains(key) &&
                       config.at("id2label").at(key).is_string();
    names.push_back(named ? config.at("id2label").at(key).get<std::string>() : key);
  }
  return names;
}

std::size_t best_class(const std::vector<float>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<float> softmax(std::vector<float> logits) {
  const float greatest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float& value : logits) {
    value = std::exp(value - greatest);
    sum += value;
  }
  for (float& value : logits) value = static_cast<float>(value / sum);
  return logits;
}

/// Thresholds by label as thresholds by id; labels without one keep theirs.
void set_thresholds(ClassDecision& decision, const std::map<std::string, double>& by_label) {
  if (by_label.empty()) return;
  decision.thresholds.resize(decision.names.size(), 0.5);
  for (const auto& [label, threshold] : by_label) {
    const auto id = label_id(label, decision.names);
    require(id.has_value(), ErrorCode::kConfig, "thresholds: unknown label '", label,
            "', expected one of ", join(decision.names), did_you_mean(label, decision.names));
    decision.thresholds[*id] = threshold;
  }
}

/// What training left in config.json; an object.
Json stored_settings(const Model& model, const SequenceClassificationConfig& config) {
  const Json::json_pointer place(concat("/", kParams, "/", config.type));
  const Json& all = model.config();
  return all.contains(place) && all.at(place).is_object() ? all.at(place) : Json::object();
}

}  // namespace

std::vector<float> ClassDecision::values(std::vector<float> logits) const {
  if (problem == ProblemType::kRegression) return logits;
  for (float& value : logits) value = static_cast<float>(value / temperature);
  if (problem == ProblemType::kSingleLabel) return softmax(std::move(logits));
  for (float& value : logits) value = 1 / (1 + std::exp(-value));
  return logits;
}

std::vector<std::size_t> ClassDecision::chosen(const std::vector<float>& values) const {
  if (problem == ProblemType::kRegression) return {};
  if (problem == ProblemType::kSingleLabel) return {best_class(values)};
  std::vector<std::size_t> ids;
  for (std::size_t id = 0; id < values.size(); ++id) {
    if (values[id] >= threshold(id)) ids.push_back(id);
  }
  return ids;
}

void check_thresholds(ProblemType problem, const SequenceClassificationConfig& config) {
  require(config.thresholds.empty() || problem == ProblemType::kMultiLabel, ErrorCode::kConfig,
          "thresholds: are of several labels (problem_type multi_label_classification), not of ",
          problem_type_name(problem));
}

ClassDecision decision_of(const Model& model, const SequenceClassificationConfig& config) {
  ClassDecision decision{model.facts().problem_type, model_labels(model)};
  const Json stored = stored_settings(model, config);
  const auto number = [](const Json& value) { return value.is_number() && value > 0; };
  if (config.temperature) {
    decision.temperature = *config.temperature;
  } else if (number(stored.value("temperature", Json()))) {
    decision.temperature = stored.at("temperature").get<double>();
  }
  check_thresholds(decision.problem, config);
  if (decision.problem != ProblemType::kMultiLabel) return decision;
  if (stored.value("thresholds", Json()).is_object()) {
    std::map<std::string, double> by_label;
    for (const auto& [label, value] : stored.at("thresholds").items()) {
      if (value.is_number()) by_label[label] = value.get<double>();
    }
    set_thresholds(decision, by_label);
  }
  set_thresholds(decision, config.thresholds);
  return decision;
}

SequenceClassificationConfig reading_of(const Model& model, SequenceClassificationConfig config) {
  const Json pairs = stored_settings(model, config).value("pairs", Json());
  if (!config.pairs && pairs.is_boolean()) config.pairs = pairs.get<bool>();
  return config;
}

TruncationSide truncation_side_of(const SequenceClassificationConfig& config,
                                  const Tokenizer& tokenizer) {
  if (config.truncation_side) return truncation_side_of(*config.truncation_side);
  return stored_truncation_side(tokenizer).value_or(TruncationSide::kRight);
}

TruncationSide truncation_side_of(const SequenceClassificationConfig& config,
                                  const Tokenizer& tokenizer, const Model& model) {
  const Json stored = stored_settings(model, config);
  if (config.truncation_side || !stored.contains(kTruncationSide))
    return truncation_side_of(config, tokenizer);
  const Json& side = stored.at(kTruncationSide);
  require(side.is_string(), ErrorCode::kData, "config.json: ", kTruncationSide,
          ": expected a string, got ", dump_json(side));
  return truncation_side_of(side.get<std::string>());
}

void note_decision(const ClassDecision& decision, const std::string& task, Json& config) {
  if (decision.problem == ProblemType::kRegression) return;
  Json& place = config[kParams][task];
  if (!place.is_object()) place = Json::object();
  place["temperature"] = decision.temperature;
  if (decision.problem != ProblemType::kMultiLabel) return;
  Json thresholds = Json::object();
  for (std::size_t id = 0; id < decision.names.size(); ++id)
    thresholds[decision.names[id]] = decision.threshold(id);
  place["thresholds"] = std::move(thresholds);
}

Json ClassAnswer::record() const {
  Json scores = Json::object();
  for (std::size_t c = 0; c < names().size(); ++c) scores[names()[c]] = values_[c];
  Json prediction;
  switch (decision_.problem) {
    case ProblemType::kSingleLabel:
      prediction = names()[best_class(values_)];
      break;
    case ProblemType::kMultiLabel:
      prediction = chosen();
      break;
    case ProblemType::kRegression:
      prediction = values_.size() == 1 ? Json(values_.front()) : Json(values_);
      break;
  }
  return {{kPrediction, std::move(prediction)}, {"scores", std::move(scores)}};
}

std::vector<std::string> ClassAnswer::chosen() const {
  if (decision_.problem == ProblemType::kRegression) return names();
  std::vector<std::string> out;
  for (const std::size_t id : decision_.chosen(values_)) out.push_back(names()[id]);
  return out;
}

std::string ClassAnswer::text() const {
  std::vector<std::string> parts;
  if (decision_.problem == ProblemType::kRegression) {
    for (std::size_t c = 0; c < names().size(); ++c)
      parts.push_back(concat(names().size() == 1 ? "" : names()[c] + " ", values_[c]));
  }
  for (const std::size_t id : decision_.chosen(values_))
    parts.push_back(concat(names()[id], " ", format_percent(values_[id])));
  return parts.empty() ? "(no class reaches its threshold)" : join(parts);
}

}  // namespace llmctl
