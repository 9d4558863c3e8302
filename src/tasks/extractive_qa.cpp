#include "tasks/extractive_qa.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "base/utf8.h"
#include "metrics/squad.h"
#include "tasks/bucketed_source.h"
#include "tasks/labelled_row.h"
#include "tasks/overlap_baseline.h"
#include "tasks/predictions.h"
#include "tasks/record_mixture.h"
#include "tasks/record_names.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

std::vector<bool> held_out_passages(const QaData& data, HeldOutShare share) {
  return held_out({data.contexts.begin(), data.contexts.end()}, share);
}

constexpr std::size_t kSamples = 4;

std::string sample_line(const QaItem& item, const std::string& prediction) {
  return concat(item.question, " → ", prediction.empty() ? "(no answer)" : prediction, "   [",
                item.answers.empty() ? "no answer" : item.answers.front(), "]");
}

/// Evenly spread items, as lines to read.
std::vector<std::string> sample_lines(const QaData& data, const std::vector<SpanAnswer>& answers) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(kSamples, data.items.size()); ++i) {
    const std::size_t item = i * data.items.size() / kSamples;
    if (item < answers.size()) lines.push_back(sample_line(data.items[item], answers[item].text));
  }
  return lines;
}

/// The n best answers as transformers writes them (nbest_predictions.json).
Json n_best_of(const SpanAnswer& answer) {
  Json list = Json::array();
  for (const SpanChoice& choice : answer.n_best) {
    list.push_back({{"text", choice.text},
                    {"probability", choice.probability},
                    {"start_logit", choice.start_logit},
                    {"end_logit", choice.end_logit}});
  }
  return list;
}

/// The items `keep` names, with their passages.
QaData subset(const QaData& data, const std::vector<bool>& keep_context) {
  QaData out;
  std::vector<std::size_t> moved_to(data.contexts.size());
  for (std::size_t c = 0; c < data.contexts.size(); ++c) {
    if (!keep_context[c]) continue;
    moved_to[c] = out.contexts.size();
    out.contexts.push_back(data.contexts[c]);
  }
  for (const QaItem& item : data.items) {
    if (!keep_context[item.context]) continue;
    out.items.push_back(item);
    out.items.back().context = moved_to[item.context];
  }
  return out;
}

/// By their questions and passages.
std::vector<std::uint64_t> keys_of(const QaData& data) {
  std::vector<std::uint64_t> keys;
  for (const QaItem& item : data.items)
    keys.push_back(record_key({item.question, data.contexts[item.context]}));
  return keys;
}

class ExtractiveQa : public Task {
 public:
  ExtractiveQa(const ExtractiveQaConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kSpan; }
  std::vector<ScoreKind> validation_scores() const override {
    std::vector<ScoreKind> kinds = AnswerTotals::kinds(false);
    kinds.push_back(loss_kind(kLossName));
    return kinds;
  }
  std::vector<ScoreKind> evaluation_scores() const override { return AnswerTotals::kinds(true); }
  std::string baseline_rule() const override { return "word overlap"; }
  std::string best_score() const override { return "exact_match"; }
  void describe(Json& config) const override;
  std::string generate_flags() const override { return "--question \"…\" --context \"…\""; }

  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::size_t training_records() const override { return train_.items.size(); }
  std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return std::make_unique<SpanLoss>(model);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  Json predictions_document(const std::vector<Json>& predictions) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;

  /// Predictions of this rank's items added to totals.
  AnswerTotals totals(const QaData& data, const std::vector<SpanAnswer>& answers,
                      const World& world) const;
  SpanOptions span_options(bool data_has_unanswerable, const Model& model) const;
  /// Where the held-out questions have some without answer and nobody names a margin: chooses the
  /// one of the highest exact match, leaves it in the model, and gives the answers by it.
  void tune_margin(const QaData& data, std::vector<SpanAnswer>& answers, Model& model,
                   World& world) const;

 private:
  QaFeatureOptions feature_options(std::int64_t sequence_length) const {
    return {sequence_length, config_.stride, config_.max_question_tokens};
  }
  Json::json_pointer params_place() const {
    return Json::json_pointer("/task_specific_params/" + config_.type);
  }
  QaData read_references(const std::vector<std::filesystem::path>& files, bool skip_bad) const;
  void add_baseline(const QaData& data, TaskEvaluation& evaluation) const;

  ExtractiveQaConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  QaData train_, valid_;
  std::unique_ptr<QaFeatures> train_features_, valid_features_;
  std::vector<std::int64_t> rows_;  // windows of one epoch
};

void ExtractiveQa::describe(Json& config) const {
  // What an earlier training of the model left there is not of this one.
  Json& own = config[params_place()] = {{"stride", config_.stride},
                                        {"max_question_tokens", config_.max_question_tokens},
                                        {"max_answer_tokens", config_.max_answer_tokens},
                                        {"n_best", config_.n_best}};
  // Who names a margin wants it to decide; generate has no references that could say so.
  if (config_.no_answer || config_.no_answer_margin)
    own["no_answer"] = config_.no_answer.value_or(true);
  if (config_.no_answer_margin) own["no_answer_margin"] = *config_.no_answer_margin;
}

void ExtractiveQa::read(const TaskData& files) {
  train_ = {};
  valid_ = {};
  std::vector<std::size_t> file_of;  // of each passage
  const std::vector<std::filesystem::path> train_files = files.train_files();
  BadRows bad(files.skip_bad);
  for (std::size_t i = 0; i < train_files.size(); ++i) {
    read_qa_file(train_files[i], bad, train_);
    file_of.resize(train_.contexts.size(), i);
  }
  for (const auto& file : files.valid) read_qa_file(file, bad, valid_);
  if (files.valid.empty()) {
    std::vector<bool> out = held_out_passages(train_, files.held_out);
    valid_ = subset(train_, out);
    file_of = flagged(file_of, out, false);
    out.flip();
    const std::size_t moved = train_.moved;
    train_ = subset(train_, out);
    train_.moved = moved;
  }
  if (train_.moved > 0) {
    log_warning(
        "question answering: ", train_.moved,
        " answers do not stand at their answer_start; taken where they occur nearest to it");
  }
  drop_unfound_answers(train_, bad);
  bad.settle();
  warn_of_unfound_answers(valid_);
  require(!train_.items.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(),
          ": no question to train on is left");
  std::vector<std::string> answered;
  for (const QaItem& item : train_.items) answered.push_back(item.span ? "yes" : "no");
  keep_share(files, train_.items, answered,
             [](const QaItem& item) { return std::string_view(item.question); });
  warn_of_learnt("question answering", "questions", keys_of(valid_), keys_of(train_));

  train_features_ =
      std::make_unique<QaFeatures>(train_, *tokenizer_, feature_options(files.sequence_length));
  valid_features_.reset();
  if (!valid_.items.empty()) {
    valid_features_ =
        std::make_unique<QaFeatures>(valid_, *tokenizer_, feature_options(files.sequence_length));
  }
  rows_.clear();
  const auto& windows = train_features_->windows();
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  for (const QaItem& item : train_.items) {
    // All questions of a passage are visited equally often.
    units.push_back(train_.contexts[item.context]);
    from.push_back(file_of[item.context]);
  }
  const std::vector<std::int64_t> visits = visits_of(files, units, from);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const QaItem& item = train_.items[windows[i].item];
    if (!config_.train_on_empty_windows && item.span && windows[i].start == 0) continue;
    rows_.insert(rows_.end(), static_cast<std::size_t>(visits[windows[i].item]),
                 static_cast<std::int64_t>(i));
  }
  log_info("question answering: ", train_.items.size(), " questions in ", windows.size(),
           " windows to train on, ", valid_.items.size(), " held out");
  ShortenedQuestions shortened = train_features_->shortened();
  if (valid_features_) shortened.add(valid_features_->shortened());
  if (shortened.count > 0) log_info("question answering: ", shortened.note());
}

std::unique_ptr<Source> ExtractiveQa::source(const Batching& batching) const {
  std::vector<std::int32_t> lengths;
  Sha256 digest, content;
  const auto add = [&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  };
  std::vector<TokenId> types;
  for (const QaWindow& window : train_features_->windows()) {
    lengths.push_back(static_cast<std::int32_t>(window.length));
    const std::vector<TokenId> row = train_features_->row(window, nullptr);
    const std::uint64_t gold[] = {row.size(), window.start, window.end};
    add(gold, sizeof gold);
    add(row.data(), row.size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, std::move(lengths), batching,
      [this](std::span<const std::int64_t> rows, std::int64_t) {
        return collate_windows(*train_features_, rows);
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::vector<LabelledRow> ExtractiveQa::labelled_rows(std::size_t first, std::size_t count) const {
  const QaFeatures& features = *train_features_;
  std::vector<LabelledRow> rows;
  for (std::size_t w = first; w < features.windows().size() && rows.size() < count; ++w) {
    const QaWindow& window = features.windows()[w];
    const QaItem& item = train_.items[window.item];
    LabelledPart part{"", labelled_tokens(*tokenizer_, features.row(window, nullptr))};
    const std::vector<ByteSpan> spans =
        character_offsets(train_.contexts[item.context], features.offsets(window));
    for (std::size_t i = 0; i < spans.size(); ++i) part.tokens[window.offset + i].span = spans[i];
    for (std::size_t i = window.start; i <= window.end; ++i) part.tokens[i].learned = true;
    rows.push_back(
        {item.place,
         {std::move(part)},
         {{"id", item.id}, {"start_position", window.start}, {"end_position", window.end}}});
  }
  return rows;
}

SpanOptions ExtractiveQa::span_options(bool data_has_unanswerable, const Model& model) const {
  const Json& config = model.config();
  const Json stored = config.contains(params_place()) ? config.at(params_place()) : Json();
  double margin = config_.no_answer_margin.value_or(0);
  if (!config_.no_answer_margin && stored.is_object() && stored.contains("no_answer_margin") &&
      stored.at("no_answer_margin").is_number())
    margin = stored.at("no_answer_margin").get<double>();
  // A model that may give no answer may do so to any question, as where it answers.
  const bool may_refuse = stored.is_object() && stored.value("no_answer", Json()) == true;
  return {config_.max_answer_tokens, config_.n_best,
          config_.no_answer.value_or(may_refuse || data_has_unanswerable), margin};
}

void ExtractiveQa::tune_margin(const QaData& data, std::vector<SpanAnswer>& answers, Model& model,
                               World& world) const {
  if (config_.no_answer_margin || !config_.no_answer.value_or(true) || !data.has_unanswerable())
    return;
  // [questions, 3]: of the best span its difference, its exact match and whether there is none, of
  // all ranks.
  std::vector<double> facts(3 * answers.size());
  const AnswerMetric metric = parse_answer_metric(config_.metric);
  for (std::size_t i = static_cast<std::size_t>(world.rank()); i < answers.size();
       i += static_cast<std::size_t>(world.size())) {
    const QaItem& item = data.items[i];
    AnswerTotals one(metric);
    facts[3 * i] = answers[i].null_difference;
    facts[3 * i + 1] = one.add(answers[i].best_text, item.answers, item.question).exact_match;
    facts[3 * i + 2] = answers[i].best_text.empty() ? 1 : 0;
  }
  world.sum(facts);
  std::vector<ThresholdItem> items;
  for (std::size_t i = 0; i < answers.size(); ++i)
    items.push_back(
        {facts[3 * i + 1], facts[3 * i], !data.items[i].answers.empty(), facts[3 * i + 2] > 0});
  double margin = best_no_answer_threshold(items).threshold;
  std::vector<double> differences;
  for (const ThresholdItem& item : items) differences.push_back(item.no_answer_score);
  std::sort(differences.begin(), differences.end());
  const auto next = std::upper_bound(differences.begin(), differences.end(), margin);
  if (!std::binary_search(differences.begin(), differences.end(), margin)) {
    margin = differences.front() - 1;  // no answer at all is best
  } else if (next != differences.end()) {
    margin = (margin + *next) / 2;
  }
  model.config()[params_place()]["no_answer"] = true;
  model.config()[params_place()]["no_answer_margin"] = margin;
  for (SpanAnswer& answer : answers)
    answer.text = answer.null_difference > margin ? std::string() : answer.best_text;
}

AnswerTotals ExtractiveQa::totals(const QaData& data, const std::vector<SpanAnswer>& answers,
                                  const World& world) const {
  AnswerTotals totals(parse_answer_metric(config_.metric));
  for (std::size_t i = static_cast<std::size_t>(world.rank()); i < data.items.size();
       i += static_cast<std::size_t>(world.size())) {
    totals.add(answers[i].text, data.items[i].answers, data.items[i].question);
  }
  return totals;
}

class QaValidator : public Validator {
 public:
  QaValidator(const ExtractiveQa& task, Model& model, const QaFeatures& features,
              std::int64_t batch_size, World& world)
      : task_(task), model_(model), features_(features), batch_size_(batch_size), world_(world) {}

  ValidationResult validate(const Context& context) override {
    const QaData& data = features_.data();
    SpanPredictions predictions =
        predict_spans(model_, features_, task_.span_options(data.has_unanswerable(), model_),
                      batch_size_, context, world_);
    task_.tune_margin(data, predictions.answers, model_, world_);
    AnswerTotals totals = task_.totals(data, predictions.answers, world_);
    double loss[] = {predictions.loss, predictions.windows};
    world_.sum(totals.numbers());
    world_.sum(loss);
    ValidationResult result{totals.percentages(), sample_lines(data, predictions.answers)};
    result.scores.add(loss_score(kLossName, loss[0] / loss[1], loss[1]));
    return result;
  }

 private:
  const ExtractiveQa& task_;
  Model& model_;
  const QaFeatures& features_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> ExtractiveQa::validator(Model& model, std::int64_t batch_size,
                                                   World& world) const {
  if (!valid_features_) return nullptr;
  return std::make_unique<QaValidator>(*this, model, *valid_features_, batch_size, world);
}

QaData ExtractiveQa::read_references(const std::vector<std::filesystem::path>& files,
                                     bool skip_bad) const {
  QaData data;
  BadRows bad(skip_bad);
  for (const auto& file : files) read_qa_file(file, bad, data);
  drop_repeated_ids(data, bad);
  bad.settle();
  warn_of_unfound_answers(data);
  require(!data.items.empty(), ErrorCode::kData,
          files.empty() ? "question answering" : files[0].string(), ": no questions");
  return data;
}

void ExtractiveQa::add_baseline(const QaData& data, TaskEvaluation& evaluation) const {
  AnswerTotals baseline(parse_answer_metric(config_.metric));
  for (const QaItem& item : data.items) {
    baseline.add(overlap_answer(item.question, data.contexts[item.context]), item.answers,
                 item.question);
  }
  evaluation.baselines.push_back({baseline_rule(), baseline.scores()});
}

TaskEvaluation ExtractiveQa::evaluate(Model& model, const TaskData& files,
                                      const EvaluateOptions& options) const {
  QaData data = read_references(files.scored_files(), files.skip_bad);
  if (files.valid.empty()) data = subset(data, held_out_passages(data, files.held_out));
  require_scored(files, data.items.size());
  const QaFeatures features(data, *tokenizer_,
                            feature_options(model_length(model, files.sequence_length)));
  const auto world = make_local_world();
  const SpanPredictions predictions =
      predict_spans(model, features, span_options(data.has_unanswerable(), model),
                    options.batch_size, options.context, *world);
  TaskEvaluation evaluation;
  evaluation.scores = totals(data, predictions.answers, *world).scores();
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    evaluation.predictions.push_back(
        {{"id", data.items[i].id},
         {kPrediction, predictions.answers[i].text},
         {"score", predictions.answers[i].probability},
         {kNBest, n_best_of(predictions.answers[i])},
         {kNoAnswerProbability, predictions.answers[i].no_answer_probability()}});
  }
  evaluation.samples = sample_lines(data, predictions.answers);
  if (features.shortened().count > 0) evaluation.notes.push_back(features.shortened().note());
  add_baseline(data, evaluation);
  return evaluation;
}

TaskEvaluation ExtractiveQa::score(const std::filesystem::path& predictions,
                                   const std::vector<std::filesystem::path>& references) const {
  const QaData data = read_references(references, false);
  std::vector<ReferenceInput> inputs;
  for (const QaItem& item : data.items)
    inputs.push_back({item.id, {item.question, data.contexts[item.context]}, item.place});
  const auto read = [](const AnswerInput& input) {
    const Record record{input.place, input.record};
    std::vector<std::string> texts;
    for (const char* field : {"question", "context"})
      if (record.has(field)) texts.push_back(record.text(field));
    return texts;
  };
  const std::vector<Prediction> given =
      match_predictions(read_qa_predictions(predictions), inputs, predictions, read);
  TaskEvaluation evaluation;
  AnswerTotals totals(parse_answer_metric(config_.metric));
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    totals.add(given[i].text(), data.items[i].answers, data.items[i].question);
    evaluation.predictions.push_back({{"id", data.items[i].id}, {kPrediction, given[i].value}});
  }
  evaluation.scores = totals.scores();
  add_baseline(data, evaluation);
  return evaluation;
}

/// {"id": "answer"}, as the scripts of SQuAD and CMRC 2018 read it.
Json ExtractiveQa::predictions_document(const std::vector<Json>& predictions) const {
  Json document = Json::object();
  for (const Json& prediction : predictions)
    document[id_text(prediction.at("id"))] = prediction.at(kPrediction);
  return document;
}

class QaResponder : public Responder {
 public:
  QaResponder(const ExtractiveQaConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
              Model& model, const AnswerOptions& options)
      : config_(config),
        tokenizer_(std::move(tokenizer)),
        model_(model),
        features_{model_length(model, options.sequence_length > 0 ? options.sequence_length
                                                                  : model.facts().max_positions),
                  config.stride, config.max_question_tokens},
        batch_size_(options.batch_size),
        context_(options.context) {}

  Json input_of(const std::string&) const override {
    fail(ErrorCode::kUsage, "a ", model_.facts().architecture,
         " answers questions on a passage: use --question TEXT --context TEXT, or a .jsonl file "
         "with question and context");
  }

  void check(std::span<const AnswerInput> inputs) const override { data_of(inputs); }

  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t,
                    const AnswerEvents&) override {
    const QaData data = data_of(inputs);
    const QaFeatures features(data, *tokenizer_, features_);
    shortened_.add(features.shortened());
    const SpanOptions spans{config_.max_answer_tokens, config_.n_best,
                            config_.no_answer.value_or(false),
                            config_.no_answer_margin.value_or(0)};
    SpanPredictions predictions =
        predict_spans(model_, features, spans, batch_size_, context_, *make_local_world());
    AnswerList answers;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string_view passage(data.contexts[i]);
      const SpanAnswer& found = predictions.answers[i];
      answers.push_back(
          std::make_unique<QaAnswer>(found, count_code_points(passage.substr(0, found.span.begin)),
                                     count_code_points(passage.substr(0, found.span.end))));
    }
    return answers;
  }

  Json settings() const override { return {{"sequence_length", features_.sequence_length}}; }
  std::vector<std::string> notes() const override {
    return shortened_.count > 0 ? std::vector{shortened_.note()} : std::vector<std::string>();
  }
  std::int64_t batch_size() const override { return batch_size_; }

 private:
  static QaData data_of(std::span<const AnswerInput> inputs) {
    QaData data;
    for (const AnswerInput& input : inputs) {
      QaItem item;
      item.context = data.contexts.size();
      for (const char* key : {"question", "context"}) {
        if (!input.record.is_object() || !input.record.contains(key) ||
            !input.record.at(key).is_string())
          input.fail("question answering needs the texts 'question' and 'context'");
      }
      item.question = input.record.at("question").get<std::string>();
      data.contexts.push_back(input.record.at("context").get<std::string>());
      data.items.push_back(std::move(item));
    }
    return data;
  }

  ExtractiveQaConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Model& model_;
  QaFeatureOptions features_;
  ShortenedQuestions shortened_;  // so far
  std::int64_t batch_size_;
  Context context_;
};

std::unique_ptr<Responder> ExtractiveQa::responder(Model& model,
                                                   const AnswerOptions& options) const {
  return std::make_unique<QaResponder>(config_, tokenizer_, model, options);
}

}  // namespace

Json QaAnswer::record() const {
  return {
      {kPrediction, span_.text}, {"score", span_.probability}, {"start", begin_}, {"end", end_}};
}

std::unique_ptr<Task> make_extractive_qa(const ExtractiveQaConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<ExtractiveQa>(config, std::move(tokenizer));
}

}  // namespace llmctl
