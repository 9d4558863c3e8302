// What beam search knows of one row's next token: its log-probabilities after penalties and
// filters. Where those only forbid a few ids, as is usual, nothing of the vocabulary's size is
// written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/request.h"
#include "infer/sampler.h"

namespace llmctl {

/// The score of token i is values[i] + offset; what is in `forbidden` or not finite is impossible.
struct RowScores {
  std::span<const float> values;
  double offset = 0;
  std::span<const TokenId> forbidden = {};
  double norm = 0;  ///< log Σ e^logit: a logit less this is a log-probability of the model

  double of(TokenId id) const { return values[static_cast<std::size_t>(id)] + offset; }
  bool possible(TokenId id) const;
};

class RowScorer {
 public:
  explicit RowScorer(const SamplingOptions& options);

  /// `taken`: tokens that earlier groups took in this step. Valid until the next call in this
  /// thread. The norm is NaN when the logits are not finite.
  RowScores score(std::span<const float> logits, const RowSoFar& row,
                  std::span<const TokenId> taken);

 private:
  bool only_forbids(const RowSoFar& row, std::span<const TokenId> taken) const;
  void find_forbidden(const RowSoFar& row);

  const SamplingOptions options_;
  SamplingOptions others_;  // the same but for what only forbids ids
  std::vector<TokenId> forbidden_;
};

/// Adds the log-probability of `id` to `logprobs` and, where most > 0, the `most` likeliest tokens
/// to `top`. `norm`: log Σ e^logit.
void note_logprobs(std::span<const float> logits, double norm, TokenId id, std::int64_t most,
                   std::vector<float>& logprobs, std::vector<std::vector<TokenLogprob>>& top);

}  // namespace llmctl
