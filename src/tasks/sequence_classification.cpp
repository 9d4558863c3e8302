#include "tasks/sequence_classification.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "metrics/classification.h"
#include "tasks/bucketed_source.h"
#include "tasks/labelled_texts.h"
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

std::size_t best_class(const std::vector<float>& probabilities) {
  return static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) -
                                  probabilities.begin());
}

/// Scores of always answering the most frequent class.
void add_majority(const std::vector<std::size_t>& expected, const std::vector<std::string>& names,
                  TaskEvaluation& evaluation) {
  std::vector<std::size_t> counts(names.size());
  for (std::size_t id : expected) ++counts[id];
  const auto most =
      static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  ConfusionMatrix matrix(names.size());
  for (std::size_t id : expected) matrix.add(id, most);
  evaluation.baseline = matrix.scores();
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

  void read(const TaskFiles& files) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return std::make_unique<ClassificationLoss>(model);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const std::vector<std::filesystem::path>& files,
                          const PredictOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::vector<Json> answer(Model& model, const std::vector<Json>& inputs,
                           const PredictOptions& options) const override;

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
  std::vector<std::size_t> ids;
  for (const LabelledText& text : texts) {
    const auto id = label_id(text.label, names);
    if (!id) {
      std::string known;
      for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
      fail(ErrorCode::kData, files[text.file].string(), ", record ", text.record,
           ": unknown class '", text.label, "', expected one of ", known,
           did_you_mean(text.label, names));
    }
    ids.push_back(*id);
  }
  return ids;
}

void SequenceClassification::read(const TaskFiles& files) {
  train_.clear();
  valid_.clear();
  std::vector<std::filesystem::path> train_files;
  for (const auto& [file, weight] : files.train) {
    read_labelled_texts(file, train_files.size(), config_, true, train_);
    train_files.push_back(file);
  }
  if (const std::size_t empty = drop_empty(train_))
    log_warning("classification: ", empty, " empty texts left out");
  require(!train_.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no text to train on");
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
    const double weight = files.train[train_[i].file].second;
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
  Sha256 digest;
  for (std::size_t i = 0; i < train_.size(); ++i) {
    const std::uint64_t head[] = {train_rows_.ids[i].size(), train_ids_[i]};
    digest.update(head, sizeof head);
    digest.update(&train_[i].weight, sizeof train_[i].weight);
    digest.update(train_rows_.ids[i].data(), train_rows_.ids[i].size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, train_rows_.lengths(), batching,
      [this](std::span<const std::int64_t> rows) { return collate(rows); }, digest.hex());
}

class ClassificationValidator : public Validator {
 public:
  ClassificationValidator(Model& model, const std::vector<LabelledText>& texts,
                          const TextRows& rows, const std::vector<std::size_t>& ids,
                          const std::vector<std::string>& names, TokenId pad,
                          std::int64_t batch_size, World& world)
      : model_(model),
        texts_(texts),
        rows_(rows),
        ids_(ids),
        names_(names),
        pad_(pad),
        batch_size_(batch_size),
        world_(world) {}

  ValidationResult validate(const Context& context) override {
    const auto predictions = predict_classes(model_, rows_, pad_, batch_size_, context, world_);
    ConfusionMatrix matrix(names_.size());
    double loss[] = {0.0, 0.0};
    ValidationResult result;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (predictions[i].empty()) continue;
      matrix.add(ids_[i], best_class(predictions[i]));
      loss[0] -= std::log(std::max(predictions[i][ids_[i]], 1e-30f));
      loss[1] += 1;
      if (result.samples.size() < kSamples) {
        result.samples.push_back(sample_line(texts_[i], names_[best_class(predictions[i])]));
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
  const std::vector<LabelledText>& texts_;
  const TextRows& rows_;
  const std::vector<std::size_t>& ids_;
  const std::vector<std::string>& names_;
  TokenId pad_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> SequenceClassification::validator(Model& model, std::int64_t batch_size,
                                                             World& world) const {
  if (valid_.empty()) return nullptr;
  return std::make_unique<ClassificationValidator>(model, valid_, valid_rows_, valid_ids_, names_,
                                                   pad(), batch_size, world);
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

Json prediction_of(const std::vector<float>& probabilities, const std::vector<std::string>& names) {
  Json scores = Json::object();
  for (std::size_t c = 0; c < names.size(); ++c) scores[names[c]] = probabilities[c];
  return Json{{"label", names[best_class(probabilities)]}, {"scores", scores}};
}

TaskEvaluation SequenceClassification::evaluate(Model& model,
                                                const std::vector<std::filesystem::path>& files,
                                                const PredictOptions& options) const {
  std::vector<LabelledText> texts = read_references(files);
  if (options.part) {
    drop_empty(texts);
    texts = flagged(texts, held_out_texts(texts, options.part), true);
  }
  const std::vector<std::string> names = model_labels(model);
  const std::vector<std::size_t> expected = label_ids(texts, names, files);
  const TextRows rows =
      tokenize_texts(texts, *tokenizer_, model_length(model, options.sequence_length));
  const auto predictions =
      predict_classes(model, rows, pad(), options.batch_size, options.context, *make_local_world());
  TaskEvaluation evaluation;
  ConfusionMatrix matrix(names.size());
  evaluation.predictions = Json::array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    matrix.add(expected[i], best_class(predictions[i]));
    Json prediction = {{"id", texts[i].id}};
    prediction.update(prediction_of(predictions[i], names));
    evaluation.predictions.push_back(std::move(prediction));
    if (i % std::max<std::size_t>(1, texts.size() / kSamples) == 0 &&
        evaluation.samples.size() < kSamples) {
      evaluation.samples.push_back(sample_line(texts[i], names[best_class(predictions[i])]));
    }
  }
  evaluation.scores = matrix.scores(names);
  add_majority(expected, names, evaluation);
  return evaluation;
}

TaskEvaluation SequenceClassification::score(
    const std::filesystem::path& predictions,
    const std::vector<std::filesystem::path>& references) const {
  const std::vector<LabelledText> texts = read_references(references);
  const std::vector<std::string> names =
      config_.labels.empty() ? label_names(texts) : config_.labels;
  std::map<std::string, std::string> given;
  TaskEvaluation evaluation;
  evaluation.predictions = Json::array();
  for_each_labelled_record(predictions, [&](const Record& record) {
    const std::string id = record.has("id") ? record.text("id") : std::to_string(given.size());
    if (!given.emplace(id, record.text("label")).second)
      record.fail("id '" + id + "' occurs twice");
    evaluation.predictions.push_back(record.value);
  });
  // A label that no reference has is a class of its own, which is always wrong.
  std::vector<std::string> all = names;
  for (const auto& [id, label] : given) {
    if (!label_id(label, all)) all.push_back(label);
  }
  ConfusionMatrix matrix(all.size());
  const std::vector<std::size_t> expected = label_ids(texts, all, references);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string id =
        texts[i].id.is_string() ? texts[i].id.get<std::string>() : dump_json(texts[i].id);
    const auto found = given.find(id);
    require(found != given.end(), ErrorCode::kData, predictions.string(),
            ": no prediction for id '", id, "' of ", references[texts[i].file].string());
    matrix.add(expected[i], *label_id(found->second, all));
  }
  evaluation.scores = matrix.scores(all);
  add_majority(expected, all, evaluation);
  return evaluation;
}

std::vector<Json> SequenceClassification::answer(Model& model, const std::vector<Json>& inputs,
                                                 const PredictOptions& options) const {
  std::vector<LabelledText> texts;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    texts.push_back(read_text_input(inputs[i], i + 1, config_));
  const TextRows rows =
      tokenize_texts(texts, *tokenizer_, model_length(model, options.sequence_length));
  const auto predictions =
      predict_classes(model, rows, pad(), options.batch_size, options.context, *make_local_world());
  const std::vector<std::string> names = model_labels(model);
  std::vector<Json> answers = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    answers[i].update(prediction_of(predictions[i], names));
  return answers;
}

}  // namespace

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<SequenceClassification>(config, std::move(tokenizer));
}

}  // namespace llmctl
