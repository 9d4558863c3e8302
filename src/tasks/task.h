// A task: one way of learning and answering. From raw text (causal and masked language models,
// whose labels come from the text itself) or from labelled records, it makes rows, loss and scores
// for training, scores files for `eval`, and answers inputs for `generate`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/world.h"
#include "config/fields.h"
#include "data/batching.h"
#include "metrics/score.h"
#include "models/model.h"
#include "tasks/answer.h"
#include "tasks/task_data.h"
#include "text/tokenizer.h"
#include "text/truncate.h"
#include "train/interfaces.h"

namespace llmctl {

struct LabelledRow;  // tasks/labelled_row.h

/// How files are scored.
struct EvaluateOptions {
  std::int64_t batch_size = 32;  ///< rows per forward pass
  Context context;
  std::vector<std::string> baselines;  ///< yardsticks beside the task's own: "ngram:5"
};

/// Scores that a rule without a model reaches on the same inputs.
struct Baseline {
  std::string rule;  ///< "word overlap", "ngram5"
  Scores scores;
};

/// A table beside the scores: a confusion matrix, the worst errors.
struct EvaluationTable {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  /// Of a matrix: of each row's cells behind its first the shade, 0 to 1; else empty.
  std::vector<float> shades;
};

/// What evaluating gives.
struct TaskEvaluation {
  Scores scores;
  std::vector<Baseline> baselines;
  /// One record per input with its prediction, as `eval --predictions` reads it back; empty for
  /// tasks without predictions.
  std::vector<Json> predictions;
  std::vector<std::string> samples;     ///< lines worth reading
  std::vector<std::string> notes;       ///< what the user should know of the scores
  std::vector<std::string> signatures;  ///< how they were computed, for who compares them
  std::vector<EvaluationTable> tables;  ///< what explains the scores
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const std::string& type() const = 0;
  /// Of the models that are made for it where their type leaves the choice.
  virtual HeadKind head() const = 0;
  /// True when the labels come from raw text itself.
  virtual bool learns_from_text() const { return false; }
  /// Names of the classes, in the order of their ids; empty for other tasks. Known after read().
  virtual std::vector<std::string> labels() const { return {}; }
  /// What the outputs of a sequence classification mean; nothing for other tasks.
  virtual std::optional<ProblemType> problem_type() const { return std::nullopt; }

  /// What read() would refuse before any text is tokenized; for dry runs. kMissing, kData, kConfig.
  virtual void check_data(const TaskData& data) const { (void)data; }
  /// A file of data.train or data.valid and those that are read with it without being named: the
  /// other language of a parallel text.
  virtual std::vector<std::filesystem::path> files_with(const std::filesystem::path& file) const {
    return {file};
  }
  /// Reads what is learnt from and what is held out (kData naming file and record; what is skipped
  /// is counted and logged).
  virtual void read(const TaskData& data) = 0;
  /// What loss() would refuse of the model that is to be trained, before anything is written;
  /// read() comes first, except of raw text. kMissing, kData, kConfig.
  virtual void check_model(const Model& model) const { (void)model; }
  /// Training rows; order and everything drawn are functions of (seed, step, row). read() comes
  /// first and the task outlives what it gives.
  virtual std::unique_ptr<Source> source(const Batching& batching) const = 0;
  virtual std::unique_ptr<Loss> loss(Model& model) const = 0;
  /// Labelled records that are learnt from; 0 of raw text.
  virtual std::size_t training_records() const { return 0; }
  /// What is learned of training rows (windows of long records count one by one) from number
  /// `first` on, at most `count` of them, in the order of the files. kUsage for tasks whose labels
  /// are not of tokens.
  virtual std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const;
  /// Scores on what was held out; null when that is nothing.
  virtual std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                               World& world) const = 0;
  /// What the validator and what evaluate() and score() may give.
  virtual std::vector<ScoreKind> validation_scores() const = 0;
  virtual std::vector<ScoreKind> evaluation_scores() const = 0;
  /// A rule without a model whose scores stand beside evaluation's ("word overlap"); empty: none.
  virtual std::string baseline_rule() const { return ""; }
  /// The one of validation_scores() that decides which checkpoint is best.
  virtual std::string best_score() const = 0;
  /// Notes in a model's config.json what answering with it needs (task_specific_params), so that
  /// `generate` and `eval` find it again.
  virtual void describe(Json& config) const { (void)config; }
  /// The chat template that the model learnt conversations in, which replaces the directory's own;
  /// nothing for tasks that leave it as it is.
  virtual std::optional<std::string> chat_template() const { return std::nullopt; }
  /// What transformers is to take from too long texts, which replaces what the tokenizer's files
  /// say of it; nothing for tasks that leave it as it is.
  virtual std::optional<TruncationSide> truncation_side() const { return std::nullopt; }

  /// Flags of `generate` that show a user how the model is asked.
  virtual std::string generate_flags() const { return "-p \"…\""; }

  /// Refuses (kUsage) a yardstick that evaluate() would not know.
  virtual void check_baseline(const std::string& name, const TaskData& data) const;
  /// Predicts and scores data.valid, or where that is empty what data.held_out takes of data.train.
  virtual TaskEvaluation evaluate(Model& model, const TaskData& data,
                                  const EvaluateOptions& options) const = 0;
  /// Scores a predictions file against references, without a model. kUsage for tasks without
  /// predictions.
  virtual TaskEvaluation score(const std::filesystem::path& predictions,
                               const std::vector<std::filesystem::path>& references) const;
  /// The predictions as one JSON document, where official scripts want another form than a list.
  virtual Json predictions_document(const std::vector<Json>& predictions) const {
    return predictions;
  }
  /// Answers inputs with a model that was made for the task.
  virtual std::unique_ptr<Responder> responder(Model& model,
                                               const AnswerOptions& options) const = 0;
};

/// A kind of task, as the registry knows it.
struct TaskKind {
  std::string type;
  /// Of the models that are made for it: the first that a model's type has.
  std::vector<HeadKind> heads;
  bool raw_text;  ///< learns_from_text()
  std::function<std::unique_ptr<Task>(const ConfigNode&, std::shared_ptr<const Tokenizer>)> make;
  std::function<Json(const ConfigNode&)> resolve;  ///< checks a section, gives all of its keys
  std::function<Json()> schema;
  std::function<std::vector<FieldDoc>()> describe;

  bool serves(HeadKind head) const {
    return std::find(heads.begin(), heads.end(), head) != heads.end();
  }
};

/// The entry of a task whose section is a struct with fields(), made by make(config, tokenizer).
template <class Config, class Make>
TaskKind task_kind(std::vector<HeadKind> heads, bool raw_text, Make make) {
  return {Config().type,
          std::move(heads),
          raw_text,
          [make](const ConfigNode& section, std::shared_ptr<const Tokenizer> tokenizer) {
            Config config;
            read_config(section, config);
            return std::unique_ptr<Task>(make(config, std::move(tokenizer)));
          },
          [](const ConfigNode& section) { return resolve_section<Config>(section); },
          [] { return config_schema<Config>(); },
          [] { return describe_config<Config>(); }};
}
template <class Config, class Make>
TaskKind task_kind(HeadKind head, bool raw_text, Make make) {
  return task_kind<Config>(std::vector{head}, raw_text, make);
}

/// Adds a kind beside the built-in ones; for programs with tasks of their own. Not thread-safe.
void register_task(TaskKind kind);

/// All kinds, the built-in ones first.
const std::vector<TaskKind>& task_kinds();
std::vector<std::string> task_types();
/// Null for an unknown type.
const TaskKind* find_task_kind(const std::string& type);

/// The kind that a section {"type": …, …} names. kConfig with did-you-mean.
const TaskKind& task_kind_of(const ConfigNode& section);
/// kConfig with did-you-mean for an unknown type or key, and for a tokenizer that lacks what the
/// task needs.
std::unique_ptr<Task> make_task(const ConfigNode& section,
                                std::shared_ptr<const Tokenizer> tokenizer);

/// The type of the task that a model was made for: the one that its config.json describes
/// (task_specific_params), else the first of its head. Empty where there is none.
std::string task_of(const Model& model);

/// What a model's config.json says of a task, as keys of its section; null where it says nothing.
Json described(const Json& config, const std::string& type);

/// Who answers with a model: its task, or for encoder-decoders that do not say what they are for
/// (they translate, rewrite, summarise) the generation of text alone. kUsage for a model that gives
/// no answers.
std::unique_ptr<Responder> make_responder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                                          const AnswerOptions& options);

}  // namespace llmctl
