// A supervised task: reader, features, head, loss and metrics. It implements train's interfaces,
// answers single inputs for `generate`, and scores files for `eval`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/world.h"
#include "config/fields.h"
#include "data/batching.h"
#include "models/model.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// Labelled files of a run, after globs.
struct TaskFiles {
  std::vector<std::pair<std::filesystem::path, double>> train;  ///< with weights
  std::vector<std::filesystem::path> valid;
  double valid_hash = 0;  ///< share of train held out by hash64 when valid is empty
  double valid_tail = 0;  ///< or the last share of it
  std::int64_t sequence_length = 512;
};

/// What evaluating gives: scores, and one prediction per input in the task's own format.
struct TaskEvaluation {
  std::map<std::string, double> scores;
  Json predictions;
  std::vector<std::string> samples;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const std::string& type() const = 0;
  virtual HeadKind head() const = 0;
  /// Names of the classes, in the order of their ids; empty for other tasks. Known after read().
  virtual std::vector<std::string> labels() const { return {}; }

  /// Reads the training files (kData naming file and record; what is skipped is counted and
  /// logged).
  virtual void read(const TaskFiles& files) = 0;
  virtual std::unique_ptr<Source> source(const Batching& batching) const = 0;
  virtual std::unique_ptr<Loss> loss(Model& model) const = 0;
  /// Scores on the held-out records read before.
  virtual std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                               World& world) const = 0;
  virtual std::string best_score() const = 0;  ///< "valid/exact_match"
  virtual bool higher_is_better() const { return true; }

  /// Predicts and scores labelled files.
  virtual TaskEvaluation evaluate(Model& model, const std::vector<std::filesystem::path>& files,
                                  std::int64_t sequence_length, std::int64_t batch_size,
                                  const Context& context) const = 0;
  /// Scores a predictions file against references, without a model.
  virtual TaskEvaluation score(const std::filesystem::path& predictions,
                               const std::vector<std::filesystem::path>& references) const = 0;
  /// Answers inputs ({"question", "context"}, {"text"}, {"prompt"}, …): one object each, input keys
  /// kept.
  virtual std::vector<Json> answer(Model& model, const std::vector<Json>& inputs,
                                   std::int64_t sequence_length, std::int64_t batch_size,
                                   const Context& context) const = 0;
};

/// kConfig with did-you-mean for an unknown type or key.
std::unique_ptr<Task> make_task(const ConfigNode& section,
                                std::shared_ptr<const Tokenizer> tokenizer);
std::vector<std::string> task_types();
Json task_schema(const std::string& type);

/// The task that a model directory was made for, by its architecture: "extractive_qa",
/// "sequence_classification", "text_generation" (causal LMs), "masked_lm" has none (empty).
std::string task_of(const ModelFacts& facts);

}  // namespace llmctl
