#include "tasks/text_task.h"

#include <utility>

#include "base/error.h"
#include "corpus/tokenize.h"
#include "tasks/lm_loss.h"
#include "tasks/lm_validator.h"

namespace llmctl {
namespace {

using Kind = DocumentSelection::Kind;

/// The part of each text that is trained on, or (held_out) that is kept from it.
TokenizeOptions selection(const TaskData& data, bool held_out) {
  TokenizeOptions options;
  options.split = data.split;
  options.format = data.format;
  options.fields = data.fields_of_text;
  if (!data.valid.empty()) return options;
  if (data.held_out.tail > 0)
    options.selection = {held_out ? Kind::kTail : Kind::kHead, data.held_out.tail};
  if (data.held_out.hash > 0)
    options.selection = {held_out ? Kind::kHashIn : Kind::kHashOut, data.held_out.hash};
  return options;
}

}  // namespace

std::shared_ptr<const Shards> TextTask::training_shards(const TaskData& data) const {
  return tokenize_to_shards(data.train_files(), *tokenizer_, selection(data, false), data.cache);
}

std::shared_ptr<const Shards> TextTask::held_out_shards(const TaskData& data) const {
  if (!data.holds_out()) return nullptr;
  return tokenize_to_shards(data.scored_files(), *tokenizer_, selection(data, true), data.cache);
}

void TextTask::check_data(const TaskData& data) const {
  for (const WeightedFiles& entry : data.train)
    check_sources(entry.files, *tokenizer_, selection(data, false));
  if (data.holds_out()) check_sources(data.scored_files(), *tokenizer_, selection(data, true));
}

void TextTask::read(const TaskData& data) {
  data_ = data;
  corpora_.clear();
  for (const WeightedFiles& entry : data.train) {
    corpora_.push_back(
        {tokenize_to_shards(entry.files, *tokenizer_, selection(data, false), data.cache),
         entry.weight});
  }
  std::vector<double> weights, sizes;
  for (const WeightedShards& corpus : corpora_) {
    weights.push_back(corpus.weight);
    sizes.push_back(static_cast<double>(corpus.shards->tokens()));
  }
  weights = tempered_weights(std::move(weights), sizes, data.temperature);
  for (std::size_t i = 0; i < corpora_.size(); ++i) corpora_[i].weight = weights[i];
  valid_ = held_out_shards(data);
}

std::unique_ptr<Source> TextTask::source(const Batching& batching) const {
  return rows_of(corpora_, data_.packing(), batching, data_.cache);
}

std::unique_ptr<Source> TextTask::rows_of(const std::vector<WeightedShards>& corpora,
                                          const PackingOptions& packing, const Batching& batching,
                                          const std::filesystem::path& cache) const {
  return std::make_unique<RowSource>(Mixture(corpora, packing, row_format(), batching.seed, cache),
                                     batching, row_maker(packing), pad());
}

std::unique_ptr<Loss> TextTask::loss(Model& model) const {
  return make_lm_loss(model);
}

std::unique_ptr<Validator> TextTask::validator(Model& model, std::int64_t batch_size,
                                               World& world) const {
  if (!valid_) return nullptr;
  return scores_of(model, valid_, data_.packing(), batch_size, world, data_.valid_tokens);
}

std::unique_ptr<Validator> TextTask::scores_of(Model& model, std::shared_ptr<const Shards> shards,
                                               const PackingOptions& packing,
                                               std::int64_t batch_size, World& world,
                                               std::int64_t max_tokens) const {
  LmValidation validation{.shards = std::move(shards),
                          .plan = validation_plan(packing, row_format(), max_tokens),
                          .make_row = row_maker(packing),
                          .pad = pad(),
                          .batch_size = batch_size,
                          .scores = lm_scores()};
  return std::make_unique<LmValidator>(model, std::move(validation), world);
}

TaskEvaluation TextTask::evaluate(Model& model, const TaskData& data,
                                  const EvaluateOptions& options) const {
  const std::shared_ptr<const Shards> shards = held_out_shards(data);
  require(shards != nullptr, ErrorCode::kUsage, type(), ": no held-out text to score");
  const auto world = make_local_world();
  TaskEvaluation evaluation;
  evaluation.scores =
      scores_of(model, shards, data.packing(), options.batch_size, *world, data.valid_tokens)
          ->validate(options.context)
          .scores;
  evaluate_more(model, *shards, data, options, evaluation);
  return evaluation;
}

}  // namespace llmctl
