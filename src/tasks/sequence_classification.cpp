#include "tasks/sequence_classification.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "metrics/classification.h"
#include "tasks/bucketed_source.h"
#include "tasks/labelled_texts.h"
#include "tasks/predictions.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "tasks/text_rows.h"

namespace llmctl {
namespace {

std::vector<bool> held_out_texts(const std::vector<LabelledText>& texts, HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const LabelledText& text : texts) units.push_back(text.text);
  return held_out(units, share);
}

/// The number of texts dropped.
std::size_t drop_empty(std::vector<LabelledText>& texts) {
  return std::erase_if(texts,
                       [](const LabelledText& text) { return text.text.empty() && !text.pair; });
}

constexpr std::size_t kSamples = 4;

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

/// Probabilities of classes of which one is right.
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

/// What a model's outputs say: probabilities of one class or of each for itself, or the values.
std::vector<float> meaning_of(std::vector<float> logits, ProblemType problem) {
  switch (problem) {
    case ProblemType::kSingleLabel:
      return softmax(std::move(logits));
    case ProblemType::kMultiLabel:
      for (float& value : logits) value = 1 / (1 + std::exp(-value));
      return logits;
    case ProblemType::kRegression:
      break;
  }
  return logits;
}

/// Scores of always answering the most frequent class.
Scores majority_scores(const std::vector<std::size_t>& expected,
                       const std::vector<std::string>& names) {
  std::vector<std::size_t> counts(names.size());
  for (std::size_t id : expected) ++counts[id];
  const auto most =
      static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  ConfusionMatrix matrix(names.size());
  for (std::size_t id : expected) matrix.add(id, most);
  return matrix.scores();
}

std::string sample_line(const LabelledText& text, const std::string& predicted) {
  return concat(text.text, text.pair ? " | " + *text.pair : "", " → ", predicted, "   [",
                text.label, "]");
}

class SequenceClassification : public Task {
 public:
  SequenceClassification(const SequenceClassificationConfig& config,
                         std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kSequenceClassification; }
  std::vector<std::string> labels() const override { return names_; }
  std::vector<ScoreKind> validation_scores() const override {
    std::vector<ScoreKind> kinds = ConfusionMatrix::kinds(false);
    kinds.push_back(loss_kind(kLossName));
    return kinds;
  }
  std::vector<ScoreKind> evaluation_scores() const override { return ConfusionMatrix::kinds(true); }
  std::string baseline_rule() const override { return "most frequent class"; }
  std::string best_score() const override { return "accuracy"; }
  void describe(Json& config) const override {
    config["problem_type"] = "single_label_classification";
  }

  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return std::make_unique<ClassificationLoss>(model);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;

  TokenId pad() const { return pad_token(*tokenizer_); }

 private:
  /// Ids of the texts' labels; kData naming the record of an unknown one.
  static std::vector<std::size_t> label_ids(const std::vector<LabelledText>& texts,
                                            const std::vector<std::string>& names,
                                            const std::vector<std::filesystem::path>& files);
  std::vector<LabelledText> read_references(const std::vector<std::filesystem::path>& files) const;
  Batch collate(std::span<const std::int64_t> rows) const;

  SequenceClassificationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> names_;
  std::vector<LabelledText> train_, valid_;
  TextRows train_rows_, valid_rows_;
  std::vector<std::size_t> train_ids_, valid_ids_;
  std::vector<std::int64_t> rows_;  // texts of one epoch
};

std::vector<std::size_t> SequenceClassification::label_ids(
    const std::vector<LabelledText>& texts, const std::vector<std::string>& names,
    const std::vector<std::filesystem::path>& files) {
  std::map<std::string, std::optional<std::size_t>> known_ids;
  std::vector<std::size_t> ids;
  for (const LabelledText& text : texts) {
    const auto [found, is_new] = known_ids.try_emplace(text.label);
    if (is_new) found->second = label_id(text.label, names);
    const std::optional<std::size_t> id = found->second;
    if (!id) {
      fail(ErrorCode::kData, files[text.file].string(), ", record ", text.record,
           ": unknown class '", text.label, "', expected one of ", join(names),
           did_you_mean(text.label, names));
    }
    ids.push_back(*id);
  }
  return ids;
}

void SequenceClassification::read(const TaskData& files) {
  train_.clear();
  valid_.clear();
  const std::vector<std::filesystem::path> train_files = files.train_files();
  const std::vector<double> weights = files.train_weights();
  for (std::size_t i = 0; i < train_files.size(); ++i)
    read_labelled_texts(train_files[i], i, config_, true, train_);
  if (const std::size_t empty = drop_empty(train_))
    log_warning("classification: ", empty, " empty texts left out");
  require(!train_.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no text to train on");
  if (config_.labels.empty()) review_labels(train_, train_files);
  names_ = config_.labels.empty() ? label_names(train_) : config_.labels;
  require(names_.size() >= 2, ErrorCode::kData, train_files[0].string(),
          ": all texts have the class '", names_[0], "'; classification needs two classes");
  std::vector<std::filesystem::path> valid_files = files.valid;
  for (std::size_t i = 0; i < files.valid.size(); ++i)
    read_labelled_texts(files.valid[i], i, config_, true, valid_);
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_texts(train_, files.held_out);
    valid_ = flagged(train_, out, true);
    train_ = flagged(train_, out, false);
    valid_files = train_files;
  }
  train_ids_ = label_ids(train_, names_, train_files);
  valid_ids_ = label_ids(valid_, names_, valid_files);
  const std::set<std::size_t> occurring(valid_ids_.begin(), valid_ids_.end());
  if (!valid_.empty() && occurring.size() < names_.size()) {
    log_warning(
        "classification: only ", occurring.size(), " of ", names_.size(),
        " classes occur in the held-out texts",
        files.held_out.tail > 0
            ? "; the file may be sorted by class: hold out by hash (data.valid {\"hash\": 0.1})"
            : "");
  }
  train_rows_ = tokenize_texts(train_, *tokenizer_, files.sequence_length);
  valid_rows_ = tokenize_texts(valid_, *tokenizer_, files.sequence_length);
  rows_.clear();
  for (std::size_t i = 0; i < train_.size(); ++i) {
    const double weight = weights[train_[i].file];
    rows_.insert(rows_.end(), static_cast<std::size_t>(passes(train_[i].text, weight)),
                 static_cast<std::int64_t>(i));
  }
  log_info("classification: ", train_.size(), " texts to train on, ", valid_.size(), " held out, ",
           names_.size(), " classes");
}

Batch SequenceClassification::collate(std::span<const std::int64_t> rows) const {
  Batch batch = train_rows_.batch(rows, pad());
  std::vector<std::int64_t> labels;
  std::vector<float> weights;
  for (std::int64_t row : rows) {
    labels.push_back(static_cast<std::int64_t>(train_ids_[static_cast<std::size_t>(row)]));
    weights.push_back(static_cast<float>(train_[static_cast<std::size_t>(row)].weight));
  }
  batch.labels = at::tensor(labels, at::kLong);
  const bool weighted =
      std::any_of(weights.begin(), weights.end(), [](float weight) { return weight != 1.0f; });
  if (weighted) batch.weights = at::tensor(weights, at::kFloat);
  return batch;
}

std::unique_ptr<Source> SequenceClassification::source(const Batching& batching) const {
  Sha256 digest, content;
  const auto add = [&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  };
  for (std::size_t i = 0; i < train_.size(); ++i) {
    const std::uint64_t head[] = {train_rows_.ids[i].size(), train_ids_[i]};
    add(head, sizeof head);
    add(&train_[i].weight, sizeof train_[i].weight);
    add(train_rows_.ids[i].data(), train_rows_.ids[i].size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, train_rows_.lengths(), batching,
      [this](std::span<const std::int64_t> rows) { return collate(rows); },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

/// Held-out texts with their rows and the ids of their classes, and the names of all classes.
struct HeldOutTexts {
  const std::vector<LabelledText>& texts;
  const TextRows& rows;
  const std::vector<std::size_t>& ids;
  const std::vector<std::string>& names;
};

class ClassificationValidator : public Validator {
 public:
  ClassificationValidator(Model& model, const HeldOutTexts& held, TokenId pad,
                          std::int64_t batch_size, World& world)
      : model_(model), held_(held), pad_(pad), batch_size_(batch_size), world_(world) {}

  ValidationResult validate(const Context& context) override {
    const auto& [texts, rows, ids, names] = held_;
    const auto logits = predict_logits(model_, rows, {pad_, batch_size_, context}, world_);
    ConfusionMatrix matrix(names.size());
    double loss[] = {0.0, 0.0};
    ValidationResult result;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (logits[i].empty()) continue;
      const std::vector<float> shares = softmax(logits[i]);
      matrix.add(ids[i], best_class(shares));
      loss[0] -= std::log(std::max(shares[ids[i]], 1e-30f));
      loss[1] += 1;
      if (result.samples.size() < kSamples) {
        result.samples.push_back(sample_line(texts[i], names[best_class(shares)]));
      }
    }
    world_.sum(matrix.numbers());
    world_.sum(loss);
    result.scores = matrix.scores();
    result.scores.add(loss_score(kLossName, loss[0] / loss[1], loss[1]));
    return result;
  }

 private:
  Model& model_;
  const HeldOutTexts held_;
  TokenId pad_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> SequenceClassification::validator(Model& model, std::int64_t batch_size,
                                                             World& world) const {
  if (valid_.empty()) return nullptr;
  const HeldOutTexts held = {valid_, valid_rows_, valid_ids_, names_};
  return std::make_unique<ClassificationValidator>(model, held, pad(), batch_size, world);
}

std::vector<LabelledText> SequenceClassification::read_references(
    const std::vector<std::filesystem::path>& files) const {
  std::vector<LabelledText> texts;
  for (std::size_t i = 0; i < files.size(); ++i)
    read_labelled_texts(files[i], i, config_, true, texts);
  require(!texts.empty(), ErrorCode::kData, files.empty() ? "classification" : files[0].string(),
          ": no texts");
  return texts;
}

TaskEvaluation SequenceClassification::evaluate(Model& model, const TaskData& data,
                                                const EvaluateOptions& options) const {
  require(
      model.facts().problem_type == ProblemType::kSingleLabel, ErrorCode::kUsage, "a ",
      model.facts().architecture,
      " of several labels or of values (problem_type) is answered with by generate; scores of it "
      "are not computed");
  const std::vector<std::filesystem::path> files = data.scored_files();
  std::vector<LabelledText> texts = read_references(files);
  if (data.valid.empty()) {
    drop_empty(texts);
    texts = flagged(texts, held_out_texts(texts, data.held_out), true);
  }
  const std::vector<std::string> names = model_labels(model);
  const std::vector<std::size_t> expected = label_ids(texts, names, files);
  const TextRows rows =
      tokenize_texts(texts, *tokenizer_, model_length(model, data.sequence_length));
  const auto logits = predict_logits(model, rows, {pad(), options.batch_size, options.context},
                                     *make_local_world());
  TaskEvaluation evaluation;
  ConfusionMatrix matrix(names.size());
  const std::size_t every = std::max<std::size_t>(1, texts.size() / kSamples);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const ClassAnswer answer(ProblemType::kSingleLabel, names, softmax(logits[i]));
    matrix.add(expected[i], best_class(answer.values()));
    Json prediction = {{"id", texts[i].id}};
    prediction.update(answer.record());
    evaluation.predictions.push_back(std::move(prediction));
    if (i % every == 0 && evaluation.samples.size() < kSamples)
      evaluation.samples.push_back(sample_line(texts[i], names[best_class(answer.values())]));
  }
  evaluation.scores = matrix.scores(names);
  evaluation.baselines.push_back({baseline_rule(), majority_scores(expected, names)});
  return evaluation;
}

TaskEvaluation SequenceClassification::score(
    const std::filesystem::path& predictions,
    const std::vector<std::filesystem::path>& references) const {
  const std::vector<LabelledText> texts = read_references(references);
  std::vector<std::string> names = config_.labels.empty() ? label_names(texts) : config_.labels;
  const std::vector<std::size_t> expected = label_ids(texts, names, references);
  std::vector<std::string> ids;
  for (const LabelledText& text : texts) ids.push_back(id_text(text.id));
  const std::vector<Prediction> given =
      match_predictions(read_predictions(predictions), ids, predictions);
  // A class that no reference has is one of its own, which is always wrong.
  const std::size_t known = names.size();
  for (const Prediction& prediction : given) {
    if (!label_id(prediction.text(), names)) names.push_back(class_name(prediction.text()));
  }
  if (names.size() > known) {
    log_warning(predictions.string(), ": ", names.size() - known,
                " classes are no reference's, such as '", names[known],
                "'; their predictions count as wrong");
  }
  TaskEvaluation evaluation;
  ConfusionMatrix matrix(names.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    matrix.add(expected[i], *label_id(given[i].text(), names));
    evaluation.predictions.push_back({{"id", texts[i].id}, {kPrediction, given[i].value}});
  }
  evaluation.scores = matrix.scores(names);
  evaluation.baselines.push_back({baseline_rule(), majority_scores(expected, names)});
  return evaluation;
}

class ClassResponder : public Responder {
 public:
  ClassResponder(const SequenceClassificationConfig& config,
                 std::shared_ptr<const Tokenizer> tokenizer, Model& model,
                 const AnswerOptions& options)
      : config_(config),
        tokenizer_(std::move(tokenizer)),
        model_(model),
        sequence_length_(model_length(model, options.sequence_length > 0
                                                 ? options.sequence_length
                                                 : model.facts().max_positions)),
        how_{pad_token(*tokenizer_), options.batch_size, options.context} {}

  Json input_of(const std::string& text) const override { return {{"text", text}}; }
  void check(std::span<const AnswerInput> inputs) const override { texts_of(inputs); }

  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t,
                    const AnswerEvents&) override {
    const TextRows rows = tokenize_texts(texts_of(inputs), *tokenizer_, sequence_length_);
    auto logits = predict_logits(model_, rows, how_, *make_local_world());
    const std::vector<std::string> names = model_labels(model_);
    const ProblemType problem = model_.facts().problem_type;
    AnswerList answers;
    for (auto& values : logits) {
      answers.push_back(
          std::make_unique<ClassAnswer>(problem, names, meaning_of(std::move(values), problem)));
    }
    return answers;
  }

  Json settings() const override { return {{"sequence_length", sequence_length_}}; }
  std::int64_t batch_size() const override { return how_.batch_size; }

 private:
  std::vector<LabelledText> texts_of(std::span<const AnswerInput> inputs) const {
    std::vector<LabelledText> texts;
    for (const AnswerInput& input : inputs) texts.push_back(read_text_input(input, config_));
    return texts;
  }

  SequenceClassificationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Model& model_;
  std::int64_t sequence_length_;
  PredictRows how_;
};

std::unique_ptr<Responder> SequenceClassification::responder(Model& model,
                                                             const AnswerOptions& options) const {
  return std::make_unique<ClassResponder>(config_, tokenizer_, model, options);
}

}  // namespace

Json ClassAnswer::record() const {
  Json scores = Json::object();
  for (std::size_t c = 0; c < names_.size(); ++c) scores[names_[c]] = values_[c];
  Json prediction;
  switch (problem_) {
    case ProblemType::kSingleLabel:
      prediction = names_[best_class(values_)];
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
  std::vector<std::string> names;
  for (std::size_t c = 0; c < names_.size(); ++c) {
    if (problem_ == ProblemType::kMultiLabel ? values_[c] >= 0.5f : c == best_class(values_))
      names.push_back(names_[c]);
  }
  return names;
}

std::string ClassAnswer::text() const {
  std::vector<std::string> parts;
  for (std::size_t c = 0; c < names_.size(); ++c) {
    if (problem_ == ProblemType::kRegression) {
      const std::string name = names_.size() == 1 ? "" : names_[c] + " ";
      parts.push_back(concat(name, values_[c]));
    } else if (problem_ == ProblemType::kMultiLabel ? values_[c] >= 0.5f
                                                    : c == best_class(values_)) {
      parts.push_back(concat(names_[c], " ", format_percent(values_[c])));
    }
  }
  return parts.empty() ? "(no class reaches 50 %)" : join(parts);
}

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<SequenceClassification>(config, std::move(tokenizer));
}

}  // namespace llmctl
