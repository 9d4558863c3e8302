// Rows that are known in advance, dealt into the steps of a run with rows of similar length
// together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/batching.h"
#include "data/collate.h"
#include "models/model.h"
#include "tasks/token_batches.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// The order of RowOrder, in windows of 50 batches (of one epoch, where that is less): inside a
/// window the rows are sorted by length and cut into batches, whose order is permuted again. So
/// padding is small, and all of it is a function of (seed, step) at the cost of sorting one window.
/// Where steps are measured in tokens (Batching::batch_tokens) it is the order of TokenBatches.
class BucketedSource : public Source {
 public:
  /// Makes the batch of some rows, by their indices into `lengths`, in a step, by which it keys
  /// what it draws.
  using Collate = std::function<Batch(std::span<const std::int64_t> rows, std::int64_t step)>;

  /// Of the rows as they are used, and of all that the data holds.
  struct Fingerprints {
    std::string used, content;
  };

  /// `rows`: what one epoch visits, indices into `lengths` (tokens of each row), one more often
  /// where it weighs more; kData when there are none. kConfig as RowOrder.
  BucketedSource(std::vector<std::int64_t> rows, RowLengths lengths, const Batching& batching,
                 Collate collate, Fingerprints fingerprints);

  std::int64_t steps_per_epoch() const override {
    return by_tokens_ ? by_tokens_->steps_per_epoch() : order_.steps_per_epoch();
  }
  std::vector<Batch> batches(std::int64_t step) const override;
  std::string fingerprint() const override { return fingerprints_.used; }
  std::string content() const override { return fingerprints_.content; }

  /// Rows of this rank's micro-batches of a step.
  std::vector<std::vector<std::int64_t>> micro_batches(std::int64_t step) const;

 private:
  /// The rows of a step, over all ranks.
  std::vector<std::int64_t> rows_of(std::int64_t step) const;

  std::vector<std::int64_t> rows_;
  RowLengths lengths_;
  Batching batching_;
  RowOrder order_;
  std::unique_ptr<TokenBatches> by_tokens_;
  Collate collate_;
  Fingerprints fingerprints_;
};

/// A row of token ids and, unless empty, token types.
TokenRow token_row(std::span<const TokenId> ids, std::span<const TokenId> types);

/// Tokens that are not padding.
double real_tokens(const Sequence& sequence);

/// The padding token of a tokenizer; what it stands for is never attended to, so any id serves
/// where it has none.
TokenId pad_token(const Tokenizer& tokenizer);

/// `sequence_length`, or what the model's positions allow if that is less.
std::int64_t model_length(const Model& model, std::int64_t sequence_length);

/// Indices 0 … lengths.size()-1 from the longest to the shortest row, cut into batches of at most
/// `batch_size`: for predicting with little padding.
std::vector<std::vector<std::int64_t>> batches_by_length(std::span<const std::int32_t> lengths,
                                                         std::int64_t batch_size);

}  // namespace llmctl
