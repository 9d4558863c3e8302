// What the tasks share whose labels come from raw text: tokenized corpora as rows of a step, and
// the scores of held-out text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/mixture.h"
#include "io/shards.h"
#include "tasks/lm_rows.h"
#include "tasks/task.h"

namespace llmctl {

/// A task on raw text. The derived class says how pieces of text become a row, and what is counted
/// beside the loss.
class TextTask : public Task {
 public:
  explicit TextTask(std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  bool learns_from_text() const override { return true; }
  std::string best_score() const override { return kLossName; }
  /// That files are texts, or shards of this tokenizer.
  void check_data(const TaskData& data) const override;
  /// Texts become shards in data.cache, once.
  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::unique_ptr<Loss> loss(Model& model) const override;
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;

  /// Rows of corpora that are tokenized already; plans of rows are kept in `cache`. kData when they
  /// give no row.
  std::unique_ptr<Source> rows_of(const std::vector<WeightedShards>& corpora,
                                  const PackingOptions& packing, const Batching& batching,
                                  const std::filesystem::path& cache) const;
  /// Scores of held-out shards, cut into rows as for training: "loss" (nats per token) and
  /// "perplexity"; causal LMs, when all tokens are scored, "bits_per_byte" (of the documents'
  /// text); masked LMs "masked_accuracy" (masks drawn from a fixed seed). At most `max_tokens`
  /// tokens (0: all), every token scored once.
  std::unique_ptr<Validator> scores_of(Model& model, std::shared_ptr<const Shards> shards,
                                       const PackingOptions& packing, std::int64_t batch_size,
                                       World& world, std::int64_t max_tokens) const;

 protected:
  virtual RowFormat row_format() const { return {}; }
  virtual MakeRow row_maker(const PackingOptions& packing) const = 0;
  /// Which of a row's scores are asked for beside the loss.
  virtual LmScores lm_scores() const = 0;
  /// Adds what the task scores beside its validator and the yardsticks asked for.
  virtual void evaluate_more(Model& model, const Shards& shards, const TaskData& data,
                             const EvaluateOptions& options, TaskEvaluation& evaluation) const {
    (void)model, (void)shards, (void)data, (void)options, (void)evaluation;
  }

  std::int64_t pad() const { return tokenizer_->special().pad.value_or(0); }
  /// The shards of what a run trains on, of all its entries together.
  std::shared_ptr<const Shards> training_shards(const TaskData& data) const;

  std::shared_ptr<const Tokenizer> tokenizer_;

 private:
  std::shared_ptr<const Shards> held_out_shards(const TaskData& data) const;

  TaskData data_;
  std::vector<WeightedShards> corpora_;
  std::shared_ptr<const Shards> valid_;
};

}  // namespace llmctl
