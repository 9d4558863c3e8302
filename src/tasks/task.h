// A supervised task: reader, features, head, loss and metrics. It implements train's interfaces,
// answers single inputs for `generate`, and scores files for `eval`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/world.h"
#include "config/fields.h"
#include "data/batching.h"
#include "models/model.h"
#include "prompt/generation_settings.h"
#include "tasks/records.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// Labelled files of a run, after globs.
struct TaskFiles {
  /// With weights: passes per epoch (1 once, 0.5 every second record by hash, 2 twice).
  std::vector<std::pair<std::filesystem::path, double>> train;
  std::vector<std::filesystem::path> valid;
  HeldOutShare held_out;  ///< of train, when valid is empty
  std::int64_t sequence_length = 512;
};

/// How inputs are predicted.
struct PredictOptions {
  std::int64_t sequence_length = 512;  ///< most tokens of a row that the model sees
  std::int64_t batch_size = 32;        ///< rows per forward pass
  Context context;
  /// Of tasks that generate text (its batch_size is the one above); absent: greedy, as many tokens
  /// as the task's section says.
  std::optional<GenerationSettings> generation;
  std::size_t first = 0;  ///< index of the first input among all, for the draws of generated text
  HeldOutShare part;  ///< evaluate() takes only what a run with this share holds out of the files
};

/// What evaluating gives: scores, and one prediction per input in the task's own format.
/// exact_match and f1 of texts are percentages as the SQuAD and CMRC scripts print them; accuracy
/// and macro_f1 are shares.
struct TaskEvaluation {
  std::map<std::string, double> scores;
  Json predictions;
  std::vector<std::string> samples;
  /// Scores that a rule without a model reaches on the same inputs, and what the rule is ("word
  /// overlap"); empty when the task has none.
  std::map<std::string, double> baseline;
  std::string baseline_rule;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const std::string& type() const = 0;
  virtual HeadKind head() const = 0;
  /// Names of the classes, in the order of their ids; empty for other tasks. Known after read().
  virtual std::vector<std::string> labels() const { return {}; }

  /// Reads the training and held-out files (kData naming file and record; what is skipped is
  /// counted and logged).
  virtual void read(const TaskFiles& files) = 0;
  /// Training rows; read() comes first and the task outlives what it gives.
  virtual std::unique_ptr<Source> source(const Batching& batching) const = 0;
  virtual std::unique_ptr<Loss> loss(Model& model) const = 0;
  /// Scores on the held-out records read before; null when there are none.
  virtual std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                               World& world) const = 0;
  virtual std::string best_score() const = 0;  ///< "valid/exact_match"
  virtual bool higher_is_better() const { return true; }
  /// Notes in a model's config.json what answering with it needs (task_specific_params), so that
  /// `generate` and `eval` find it again.
  virtual void describe(Json& config) const { (void)config; }

  /// Predicts and scores labelled files.
  virtual TaskEvaluation evaluate(Model& model, const std::vector<std::filesystem::path>& files,
                                  const PredictOptions& options) const = 0;
  /// Scores a predictions file against references, without a model.
  virtual TaskEvaluation score(const std::filesystem::path& predictions,
                               const std::vector<std::filesystem::path>& references) const = 0;
  /// Answers inputs ({"question", "context"}, {"text"}, {"prompt"}, …): one object each, input keys
  /// kept.
  virtual std::vector<Json> answer(Model& model, const std::vector<Json>& inputs,
                                   const PredictOptions& options) const = 0;
};

/// From a section {"type": …, …}. kConfig with did-you-mean for an unknown type or key.
std::unique_ptr<Task> make_task(const ConfigNode& section,
                                std::shared_ptr<const Tokenizer> tokenizer);
std::vector<std::string> task_types();
Json task_schema(const std::string& type);

/// The task that a model directory was made for, by its architecture: "extractive_qa",
/// "sequence_classification", "text_generation" (causal LMs), "masked_lm" has none (empty).
std::string task_of(const ModelFacts& facts);

}  // namespace llmctl
