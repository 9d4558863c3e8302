#include "tasks/sequence_classification.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "io/text_source.h"
#include "models/labels.h"
#include "tasks/bucketed_source.h"
#include "tasks/class_decision.h"
#include "tasks/class_predictions.h"
#include "tasks/class_responder.h"
#include "tasks/class_validator.h"
#include "tasks/classification_loss.h"
#include "tasks/classification_report.h"
#include "tasks/labelled_texts.h"
#include "tasks/pseudo_labels.h"
#include "tasks/record_mixture.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "tasks/teacher.h"
#include "tasks/text_rows.h"

namespace llmctl {
namespace {

constexpr std::size_t kSamples = 4;

class SequenceClassification : public Task, public Teacher, public Student {
 public:
  SequenceClassification(const SequenceClassificationConfig& config,
                         std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config),
        problem_(config.problem().value_or(ProblemType::kSingleLabel)),
        tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kSequenceClassification; }
  std::vector<std::string> labels() const override { return names_; }
  std::optional<ProblemType> problem_type() const override { return problem_; }
  std::vector<ScoreKind> validation_scores() const override {
    std::vector<ScoreKind> kinds = class_score_kinds(problem_, false);
    kinds.push_back(loss_kind(kLossName));
    return kinds;
  }
  std::vector<ScoreKind> evaluation_scores() const override;
  std::string baseline_rule() const override { return class_baseline_rule(problem_); }
  std::string best_score() const override { return best_class_score(problem_); }
  std::size_t training_records() const override { return records_; }
  void describe(Json& config) const override;
  std::optional<TruncationSide> truncation_side() const override;

  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::unique_ptr<Loss> loss(Model& model) const override;
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;
  TaughtRecords teach(Model& model, const std::vector<std::filesystem::path>& files,
                      const SelfTrainingConfig& section,
                      const TeachOptions& options) const override;
  std::string teacher() const override {
    return config_.distillation ? config_.distillation->teacher : std::string();
  }
  void check_teacher(const Model& teacher, const Tokenizer& tokenizer,
                     const Model& model) const override;
  void learn_from(std::shared_ptr<Model> teacher, const Tokenizer& tokenizer,
                  const TeachOptions& options) override;

 private:
  TokenId pad() const { return pad_token(*tokenizer_); }
  /// Of rows that a trained model reads.
  RowLength row_length(const Model& model, std::int64_t sequence_length) const {
    return {model_length(model, sequence_length), truncation_side_of(config_, *tokenizer_, model)};
  }
  /// Names of the classes, from the texts where the section has none; kData where they are too few.
  std::vector<std::string> choose_names(std::vector<LabelledText>& texts,
                                        const std::filesystem::path& file, BadRows& bad) const;
  /// Appends the texts of task.unlabelled, as of a file of this number.
  void add_unlabelled(std::size_t file, bool skip_bad);
  /// Fills class_weights_, and folds those of one label into the weights of the texts.
  void weigh_classes();
  void warn_of_held_out(const TaskData& files) const;
  /// What texts lose stays as the start model was trained where the section leaves it open.
  void keep_truncation_side(const TaskData& files);
  /// Takes held-out texts out of those of data.train_only, whose labels others made: validation
  /// would be by what was learnt.
  void leave_out_held_out(std::vector<LabelledText>& only) const;
  /// The teacher's ids of this task's classes; kConfig where it has not all of them.
  std::vector<std::size_t> classes_of_teacher(const Model& teacher) const;
  Batch collate(std::span<const std::int64_t> rows) const;

  SequenceClassificationConfig config_;
  ProblemType problem_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> names_;
  std::vector<double> class_weights_;  // empty: all 1
  std::vector<LabelledText> train_, valid_;
  std::size_t records_ = 0;  // of train_ with labels
  TextRows train_rows_, valid_rows_;
  ClassLogits taught_;                     // the teacher's, of train_; empty: no teacher
  std::shared_ptr<Model> hidden_teacher_;  // null: its hidden states are not learnt
  std::vector<std::int64_t> rows_;         // texts of one epoch
};

std::uint64_t key_of(const LabelledText& text) {
  return text.pair ? record_key({text.text, *text.pair}) : record_key({text.text});
}

std::vector<std::uint64_t> keys_of(const std::vector<LabelledText>& texts) {
  std::vector<std::uint64_t> keys;
  for (const LabelledText& text : texts) keys.push_back(key_of(text));
  return keys;
}

std::string name_of(const std::vector<std::filesystem::path>& files, const std::string& otherwise) {
  return files.empty() ? otherwise : files.front().string();
}

std::vector<ScoreKind> SequenceClassification::evaluation_scores() const {
  if (config_.problem_type) return class_score_kinds(problem_, true);
  // The model says which of them there are.
  std::vector<ScoreKind> kinds;
  for (const ProblemType problem :
       {ProblemType::kSingleLabel, ProblemType::kMultiLabel, ProblemType::kRegression}) {
    for (ScoreKind& kind : class_score_kinds(problem, true)) {
      if (find_kind(kinds, kind.name) == nullptr) kinds.push_back(std::move(kind));
    }
  }
  return kinds;
}

std::vector<std::string> SequenceClassification::choose_names(std::vector<LabelledText>& texts,
                                                              const std::filesystem::path& file,
                                                              BadRows& bad) const {
  if (problem_ == ProblemType::kRegression) return numbered_labels(1);
  if (!config_.labels.empty()) return config_.labels;
  review_labels(texts, bad);
  std::vector<std::string> names = label_names(texts);
  const std::size_t least = problem_ == ProblemType::kSingleLabel ? 2 : 1;
  if (names.size() < least) bad.settle();
  require(!names.empty(), ErrorCode::kData, file.string(), ": no text has a label");
  require(names.size() >= least, ErrorCode::kData, file.string(), ": all texts have the class '",
          names[0], "'; classification needs two classes");
  return names;
}

void SequenceClassification::describe(Json& config) const {
  config["problem_type"] = problem_type_name(problem_);
  // What an earlier training of the model left there is not of this one.
  const Json::json_pointer place("/task_specific_params/" + config_.type);
  if (config.contains(place)) config[place] = Json::object();
  // Records that are to be answered have their texts where those learnt from had them.
  if (config_.text_field) config[place]["text_field"] = *config_.text_field;
  if (config_.pair_field) config[place]["pair_field"] = *config_.pair_field;
  if (config_.pairs) config[place]["pairs"] = *config_.pairs;
  if (config_.truncation_side) config[place][kTruncationSide] = *config_.truncation_side;
  if (config_.temperature) config[place]["temperature"] = *config_.temperature;
  if (!config_.thresholds.empty()) config[place]["thresholds"] = config_.thresholds;
}

std::optional<TruncationSide> SequenceClassification::truncation_side() const {
  if (!config_.truncation_side) return std::nullopt;
  const TruncationSide side = truncation_side_of(*config_.truncation_side);
  return side == TruncationSide::kMiddle ? std::nullopt : std::optional(side);
}

void SequenceClassification::read(const TaskData& files) {
  check_thresholds(problem_, config_);
  require(
      config_.word_noise == 0 || can_noise(parse_word_noise(config_.word_noise_kind), *tokenizer_),
      ErrorCode::kConfig, "task.word_noise_kind: ", config_.word_noise_kind,
      " puts the token of masks or the unknown one in a word's place, and the tokenizer has "
      "neither; use drop or swap");
  keep_truncation_side(files);
  const std::vector<std::filesystem::path> train_files = files.train_files();
  BadRows bad(files.skip_bad);
  const LabelledReading how{config_, problem_};
  train_ = read_labelled_texts(train_files, how, bad);
  if (train_.empty()) bad.settle();
  if (!config_.pairs && !train_.empty()) config_.pairs = are_pairs(train_);
  const std::string first = name_of(train_files, "data.train");
  require(!train_.empty(), ErrorCode::kData, first, ": no text to train on");
  names_ = choose_names(train_, first, bad);
  for (const auto& [label, threshold] : config_.thresholds) {
    require(label_id(label, names_).has_value(), ErrorCode::kConfig, "task.thresholds: '", label,
            "' is no class; expected one of ", join(names_), did_you_mean(label, names_));
  }
  resolve_classes(train_, names_, bad);
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_texts(train_, problem_, files.held_out);
    valid_ = flagged(train_, out, true);
    train_ = flagged(train_, out, false);
  } else {
    valid_ = read_labelled_texts(files.valid, how, bad);
    resolve_classes(valid_, names_, bad);
  }
  keep_share(files, train_, class_groups(train_, problem_),
             [](const LabelledText& text) { return std::string_view(text.text); });
  std::vector<LabelledText> only = read_labelled_texts(files.train_only, how, bad);
  resolve_classes(only, names_, bad);
  bad.settle();
  require(!train_.empty(), ErrorCode::kData, first, ": no text to train on");
  warn_of_learnt("classification", "texts", keys_of(valid_), keys_of(train_));
  leave_out_held_out(only);
  for (LabelledText& text : only) {
    text.file = train_files.size();
    train_.push_back(std::move(text));
  }
  records_ = train_.size();
  warn_of_held_out(files);
  weigh_classes();
  add_unlabelled(train_files.size(), files.skip_bad);
  taught_.clear();
  hidden_teacher_.reset();
  const RowLength length{files.sequence_length, truncation_side_of(config_, *tokenizer_)};
  train_rows_ = tokenize_texts(train_, *tokenizer_, length);
  valid_rows_ = tokenize_texts(valid_, *tokenizer_, length);
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  for (const LabelledText& text : train_) {
    units.push_back(text.text);
    from.push_back(text.file);
  }
  std::vector<std::int64_t> visits = visits_of(files, units, from);
  balance_visits(visits, records_, config_.unlabelled_share.value_or(0.5));
  rows_ = epoch_of(visits);
  log_info("classification: ", train_.size(), " texts to train on, ", valid_.size(), " held out",
           problem_ == ProblemType::kRegression ? std::string()
                                                : concat(", ", names_.size(), " classes"));
  const std::string note = shortened_note(train_rows_.shortened + valid_rows_.shortened,
                                          train_.size() + valid_.size(), length);
  if (!note.empty()) log_info("classification: ", note);
}

void SequenceClassification::warn_of_held_out(const TaskData& files) const {
  if (valid_.empty() || problem_ == ProblemType::kRegression) return;
  std::set<std::size_t> occurring;
  for (const LabelledText& text : valid_)
    occurring.insert(text.classes.begin(), text.classes.end());
  if (occurring.size() == names_.size()) return;
  const bool drawn = files.held_out.tail > 0 || files.held_out.hash > 0;
  log_warning("classification: only ", occurring.size(), " of ", names_.size(),
              " classes occur in the held-out texts",
              drawn ? "; hold out of each class (data.valid {\"stratified\": 0.1})" : "");
}

void SequenceClassification::keep_truncation_side(const TaskData& files) {
  const Json kept = files.initial_settings(config_.type).value(kTruncationSide, Json());
  if (config_.truncation_side || !kept.is_string()) return;
  config_.truncation_side = truncation_side_name(truncation_side_of(kept.get<std::string>()));
  log_info("classification: too long texts are cut as ", files.initial_model,
           " was trained, truncation_side ", *config_.truncation_side);
}

void SequenceClassification::leave_out_held_out(std::vector<LabelledText>& only) const {
  const std::vector<std::uint64_t> keys = keys_of(valid_);
  const std::unordered_set<std::uint64_t> held_out(keys.begin(), keys.end());
  const std::size_t count = std::erase_if(
      only, [&](const LabelledText& text) { return held_out.contains(key_of(text)); });
  if (count > 0)
    log_info("classification: ", count,
             " texts of data.train_only are held out for validation and not learnt from");
}

void SequenceClassification::weigh_classes() {
  class_weights_.clear();
  if (config_.class_weights.is_null()) return;
  std::vector<double> counts(names_.size());
  for (const LabelledText& text : train_) {
    for (const std::size_t id : text.classes) ++counts[id];
  }
  const auto texts = static_cast<double>(train_.size());
  class_weights_.assign(names_.size(), 1.0);
  if (config_.class_weights == kBalanced) {
    for (std::size_t id = 0; id < names_.size(); ++id) {
      // A class of the section that no text has is never weighed.
      if (counts[id] == 0 || counts[id] == texts) continue;
      class_weights_[id] = problem_ == ProblemType::kSingleLabel
                               ? texts / (static_cast<double>(names_.size()) * counts[id])
                               : (texts - counts[id]) / counts[id];
    }
  } else {
    for (const auto& [label, weight] : config_.class_weights.items()) {
      const auto id = label_id(label, names_);
      require(id.has_value(), ErrorCode::kConfig, "task.class_weights: unknown class '", label,
              "', expected one of ", join(names_), did_you_mean(label, names_));
      class_weights_[*id] = weight.get<double>();
    }
  }
  if (problem_ != ProblemType::kSingleLabel) return;
  for (LabelledText& text : train_) text.weight *= class_weights_[text.classes.front()];
}

void SequenceClassification::add_unlabelled(std::size_t file, bool skip_bad) {
  if (config_.unlabelled.empty()) return;
  BadRows bad(skip_bad);
  const std::vector<std::filesystem::path> files = expand_paths(config_.unlabelled);
  std::vector<LabelledText> texts = read_unlabelled_texts(files, config_, bad);
  bad.settle();
  require(!texts.empty(), ErrorCode::kData, name_of(files, "task.unlabelled"),
          ": no text to learn from");
  for (LabelledText& text : texts) {
    text.file = file;
    text.weight = 0;
    // Of one label some class has to stand there; its weight is 0.
    if (problem_ == ProblemType::kSingleLabel) text.classes = {0};
    train_.push_back(std::move(text));
  }
  log_info("classification: ", texts.size(), " texts without labels");
}

std::vector<std::size_t> SequenceClassification::classes_of_teacher(const Model& teacher) const {
  const std::string& name = config_.distillation->teacher;
  require(teacher.facts().head == HeadKind::kSequenceClassification, ErrorCode::kConfig,
          "task.distillation.teacher: ", name, " is a ", teacher.facts().architecture,
          ", expected a model trained for sequence_classification");
  const ClassDecision decision = decision_of(teacher, {});
  require(decision.problem == problem_, ErrorCode::kConfig, "task.distillation.teacher: ", name,
          " was trained for ", problem_type_name(decision.problem), ", the task is ",
          problem_type_name(problem_));
  std::vector<std::size_t> ids;
  for (const std::string& label : names_) {
    const auto id = label_id(label, decision.names);
    require(id.has_value(), ErrorCode::kConfig, "task.distillation.teacher: ", name,
            " has no class '", label, "', it has ", join(decision.names));
    ids.push_back(*id);
  }
  return ids;
}

void SequenceClassification::check_teacher(const Model& teacher, const Tokenizer& tokenizer,
                                           const Model& model) const {
  classes_of_teacher(teacher);
  if (const auto pairs = reading_of(teacher, {}).pairs; pairs && pairs != config_.pairs) {
    fail(ErrorCode::kConfig, "task.distillation.teacher: ", config_.distillation->teacher,
         " was trained for ", *pairs ? "pairs of texts" : "texts alone",
         ", the training data hold ",
         !config_.pairs   ? "both"
         : *config_.pairs ? "pairs of texts"
                          : "texts alone",
         "; name a teacher of the same inputs, or say what they are in task.pairs");
  }
  if (config_.distillation->hidden_weight == 0) return;
  const std::vector<std::int32_t> lengths = train_rows_.lengths();
  const std::string why = hidden_mismatch(teacher, tokenizer, *tokenizer_,
                                          *std::max_element(lengths.begin(), lengths.end()));
  require(why.empty(), ErrorCode::kConfig,
          "task.distillation.hidden_weight: ", config_.distillation->teacher, why);
  layer_pairs(*config_.distillation, model, teacher);
}

void SequenceClassification::learn_from(std::shared_ptr<Model> shared, const Tokenizer& tokenizer,
                                        const TeachOptions& options) {
  Model& teacher = *shared;
  const std::vector<std::size_t> order = classes_of_teacher(teacher);
  if (config_.distillation->hidden_weight > 0) hidden_teacher_ = std::move(shared);
  const RowLength length = row_length(teacher, options.sequence_length);
  const TextRows rows = tokenize_texts(train_, tokenizer, length);
  const ClassLogits logits =
      predict_logits(teacher, rows, {pad_token(tokenizer), options.batch_size, options.context},
                     *make_local_world());
  taught_.assign(logits.size(), {});
  for (std::size_t i = 0; i < logits.size(); ++i) {
    for (const std::size_t id : order) taught_[i].push_back(logits[i][id]);
  }
  log_info("classification: ", config_.distillation->teacher, " has given its probabilities of ",
           logits.size(), " texts");
  const std::string note = shortened_note(rows.shortened, train_.size(), length);
  if (!note.empty()) log_info("classification: for ", config_.distillation->teacher, ", ", note);
}

Batch SequenceClassification::collate(std::span<const std::int64_t> rows) const {
  Batch batch = train_rows_.batch(rows, pad());
  std::vector<std::int64_t> classes;
  std::vector<float> values, weights;
  for (const std::int64_t row : rows) {
    const LabelledText& text = train_[static_cast<std::size_t>(row)];
    if (problem_ == ProblemType::kSingleLabel)
      classes.push_back(static_cast<std::int64_t>(text.classes.front()));
    values.push_back(static_cast<float>(text.value));
    weights.push_back(static_cast<float>(text.weight));
  }
  switch (problem_) {
    case ProblemType::kSingleLabel:
      batch.labels = at::tensor(classes, at::kLong);
      break;
    case ProblemType::kMultiLabel: {
      const auto width = static_cast<std::int64_t>(names_.size());
      batch.labels = at::zeros({std::ssize(rows), width}, at::kLong);
      auto* present = batch.labels.mutable_data_ptr<std::int64_t>();
      for (std::size_t r = 0; r < rows.size(); ++r) {
        for (const std::size_t id : train_[static_cast<std::size_t>(rows[r])].classes)
          present[r * names_.size() + id] = 1;
      }
      break;
    }
    case ProblemType::kRegression:
      batch.labels = at::tensor(values, at::kFloat);
      break;
  }
  const bool weighted =
      std::any_of(weights.begin(), weights.end(), [](float weight) { return weight != 1.0f; });
  if (weighted) batch.weights = at::tensor(weights, at::kFloat);
  if (!taught_.empty()) {
    std::vector<float> soft;
    for (const std::int64_t row : rows) {
      const std::vector<float>& logits = taught_[static_cast<std::size_t>(row)];
      soft.insert(soft.end(), logits.begin(), logits.end());
    }
    batch.extras["teacher"] = at::tensor(soft, at::kFloat).reshape({std::ssize(rows), -1});
  }
  return batch;
}

std::unique_ptr<Loss> SequenceClassification::loss(Model& model) const {
  ClassLossOptions options{problem_, config_.label_smoothing, config_.focal_gamma, class_weights_};
  options.consistency = config_.consistency;
  if (!taught_.empty()) {
    options.soft_share = config_.distillation->weight;
    options.soft_temperature = config_.distillation->temperature;
  }
  if (hidden_teacher_) {
    options.hidden =
        std::make_shared<HiddenDistillation>(hidden_teacher_, model, *config_.distillation);
  }
  return std::make_unique<ClassificationLoss>(model, std::move(options));
}

std::unique_ptr<Source> SequenceClassification::source(const Batching& batching) const {
  Sha256 digest, content;
  const auto add = [&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  };
  for (std::size_t i = 0; i < train_.size(); ++i) {
    const LabelledText& text = train_[i];
    const bool single = problem_ == ProblemType::kSingleLabel;
    const std::uint64_t head[] = {train_rows_.ids[i].size(),
                                  single ? text.classes.front() : text.classes.size()};
    add(head, sizeof head);
    if (problem_ == ProblemType::kMultiLabel)
      add(text.classes.data(), text.classes.size() * sizeof text.classes[0]);
    if (problem_ == ProblemType::kRegression) add(&text.value, sizeof text.value);
    add(&text.weight, sizeof text.weight);
    add(train_rows_.ids[i].data(), train_rows_.ids[i].size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, train_rows_.lengths(), batching,
      [this, seed = batching.seed](std::span<const std::int64_t> rows, std::int64_t step) {
        Batch batch = collate(rows);
        if (config_.word_noise > 0) {
          const WordNoise noise{parse_word_noise(config_.word_noise_kind), config_.word_noise, seed,
                                static_cast<std::uint64_t>(step)};
          add_second_view(train_rows_.noisy(rows, *tokenizer_, noise).batch_of_all(pad()), batch);
        }
        return batch;
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::unique_ptr<Validator> SequenceClassification::validator(Model& model, std::int64_t batch_size,
                                                             World& world) const {
  if (valid_.empty()) return nullptr;
  return make_class_validator(config_, model, {valid_, valid_rows_}, {pad(), batch_size, {}},
                              world);
}

TaskEvaluation SequenceClassification::evaluate(Model& model, const TaskData& data,
                                                const EvaluateOptions& options) const {
  const ClassDecision decision = decision_of(model, config_);
  require(!config_.problem_type || decision.problem == problem_, ErrorCode::kUsage, "problem_type ",
          problem_type_name(problem_), ": the model was trained for ",
          problem_type_name(decision.problem));
  const std::vector<std::filesystem::path> files = data.scored_files();
  BadRows bad(data.skip_bad);
  const SequenceClassificationConfig config = reading_of(model, config_);
  std::vector<LabelledText> texts = read_labelled_texts(files, {config, decision.problem}, bad);
  resolve_classes(texts, decision.names, bad);
  bad.settle();
  if (data.valid.empty())
    texts = flagged(texts, held_out_texts(texts, decision.problem, data.held_out), true);
  require_scored(data, texts.size());
  const RowLength length = row_length(model, data.sequence_length);
  const TextRows rows = tokenize_texts(texts, *tokenizer_, length);
  const ClassLogits logits = predict_logits(
      model, rows, {pad(), options.batch_size, options.context}, *make_local_world());
  TaskEvaluation evaluation;
  const std::size_t every = std::max<std::size_t>(1, texts.size() / kSamples);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Json prediction = {{"id", texts[i].id}};
    prediction.update(ClassAnswer(decision, decision.values(logits[i])).record());
    evaluation.predictions.push_back(std::move(prediction));
    if (i % every == 0 && evaluation.samples.size() < kSamples)
      evaluation.samples.push_back(class_sample(decision, texts[i], logits[i]));
  }
  evaluation.scores = class_scores(decision, texts, logits, true);
  evaluation.tables = class_tables(decision, texts, logits);
  const std::string note = shortened_note(rows.shortened, texts.size(), length);
  if (!note.empty()) evaluation.notes.push_back(note);
  evaluation.baselines.push_back({class_baseline_rule(decision.problem),
                                  class_baseline(decision.problem, decision.names, texts)});
  return evaluation;
}

TaskEvaluation SequenceClassification::score(
    const std::filesystem::path& predictions,
    const std::vector<std::filesystem::path>& references) const {
  return score_class_predictions(config_, problem_, predictions, references);
}

TaughtRecords SequenceClassification::teach(Model& model,
                                            const std::vector<std::filesystem::path>& files,
                                            const SelfTrainingConfig& section,
                                            const TeachOptions& options) const {
  const ClassDecision decision = decision_of(model, config_);
  BadRows bad(options.skip_bad);
  const std::vector<LabelledText> texts =
      read_unlabelled_texts(files, reading_of(model, config_), bad);
  bad.settle();
  require(!texts.empty(), ErrorCode::kData, name_of(files, "self_training.unlabelled"),
          ": no texts");
  const RowLength length = row_length(model, options.sequence_length);
  const TextRows rows = tokenize_texts(texts, *tokenizer_, length);
  const std::string note = shortened_note(rows.shortened, texts.size(), length);
  if (!note.empty()) log_info("classification: ", note);
  ClassLogits values = predict_logits(model, rows, {pad(), options.batch_size, options.context},
                                      *make_local_world());
  for (auto& row : values) row = decision.values(std::move(row));
  return sure_labels(decision, texts, values, config_, section);
}

std::unique_ptr<Responder> SequenceClassification::responder(Model& model,
                                                             const AnswerOptions& options) const {
  return make_class_responder(config_, tokenizer_, model, options);
}

}  // namespace

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<SequenceClassification>(config, std::move(tokenizer));
}

}  // namespace llmctl
