// Rows that are known in advance, dealt into the steps of a run: shuffled anew each epoch, rows of
// similar length together.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/batching.h"
#include "models/model.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// The order of an epoch is a keyed permutation, cut into windows of 50 batches. Inside a window
/// the rows are sorted by length and cut into batches, whose order is permuted again; so padding is
/// small and every row comes once per epoch. All of it is a function of (seed, step), at the cost
/// of sorting one window.
class RowSource : public Source {
 public:
  /// Makes the batch of some rows, by their indices. Not `counted`: a batch of the same form that
  /// counts for nothing.
  using Collate = std::function<Batch(std::span<const std::int64_t> rows, bool counted)>;

  /// `rows`: what one epoch visits, indices into `lengths` (tokens of each row), one more often
  /// where it weighs more.
  RowSource(std::vector<std::int64_t> rows, std::vector<std::int32_t> lengths,
            const Batching& batching, Collate collate, std::string fingerprint);

  std::int64_t steps_per_epoch() const override;
  std::vector<Batch> batches(std::int64_t step) const override;
  std::string fingerprint() const override { return fingerprint_; }

  /// Rows of this rank's micro-batches of a step. Ranks take every world-th row of the sorted
  /// batch, so that their shares are about equally long. The last batch of an epoch may be smaller
  /// and leave a rank without rows; batches() then gives one that does not count.
  std::vector<std::vector<std::int64_t>> micro_batches(std::int64_t step) const;

 private:
  std::vector<std::int64_t> rows_;
  std::vector<std::int32_t> lengths_;
  Batching batching_;
  Collate collate_;
  std::string fingerprint_;
};

/// Rows right-padded with `pad` to the longest of them. `types`: token types of each row, or empty.
/// [B, T]
Sequence pad_rows(const std::vector<std::vector<TokenId>>& rows,
                  const std::vector<std::vector<TokenId>>& types, TokenId pad);

/// What a batch counts: its weights, or its rows where it has none.
double batch_weight(const Batch& batch);

/// Tokens that are not padding.
double real_tokens(const Sequence& sequence);

/// The padding token of a tokenizer; what it stands for is never attended to, so any id serves
/// where it has none.
TokenId pad_token(const Tokenizer& tokenizer);

/// `sequence_length`, or what the model's positions allow if that is less.
std::int64_t model_length(const Model& model, std::int64_t sequence_length);

/// Indices 0 … lengths.size()-1 from the shortest to the longest row, cut into batches of at most
/// `batch_size`: for predicting with little padding.
std::vector<std::vector<std::int64_t>> batches_by_length(std::span<const std::int32_t> lengths,
                                                         std::int64_t batch_size);

}  // namespace llmctl
