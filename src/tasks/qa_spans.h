// Scores of start and end for each token, their loss, and the best answers that they give.
// B windows, T tokens, D model.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/world.h"
#include "models/model.h"
#include "tasks/qa_features.h"
#include "tasks/task.h"
#include "train/interfaces.h"

namespace llmctl {

/// The batch of some windows: extras "start" and "end" [B] (gold
/// positions, 0 for none) and "allowed" [B, T] bool (the passage's tokens, and position 0, which
/// stands for "no answer").
Batch collate_windows(const QaFeatures& features, std::span<const std::int64_t> windows);

/// Cross-entropy of the start and of the end over the allowed positions of each window: terms
/// "start" and "end", each with coefficient 0.5, as BERT's question answering (Devlin et al., 2019)
/// averages them.
class SpanLoss : public Loss {
 public:
  explicit SpanLoss(Model& model) : model_(model) {}
  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override;
  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override;
  double tokens(const Batch& batch) const override;

 private:
  Model& model_;
};

struct SpanOptions {
  std::int64_t max_answer_tokens = 64;
  std::int64_t n_best = 20;
  /// Give "" where no answer scores better than the best span by more than `no_answer_margin`.
  bool may_be_empty = false;
  double no_answer_margin = 0;
};

/// One of the n best answers; an empty text is "no answer".
struct SpanChoice {
  std::string text;
  double probability = 0;  ///< share among them
  double start_logit = 0, end_logit = 0;
};

struct SpanAnswer {
  std::string text;
  ByteSpan span;           ///< in bytes of the passage
  double probability = 0;  ///< share among the n best (with "no answer" if that is allowed)
  /// Best first; with "no answer" if that is allowed or there is no other.
  std::vector<SpanChoice> n_best = {};
  /// Score of "no answer" minus that of the best span (SQuAD 2.0's null score difference), and that
  /// span's text, which is given unless the difference is above the margin.
  double null_difference = 0;
  std::string best_text = {};
  /// Share of "no answer" beside the best span alone, in [0, 1].
  double no_answer_probability() const { return 1 / (1 + std::exp(-null_difference)); }
};

struct SpanPredictions {
  std::vector<SpanAnswer> answers;  ///< one per item of the data
  double loss = 0;     ///< sum over the windows of the mean of start and end cross-entropy
  double windows = 0;  ///< number of windows
};

/// Predicts the items i with i % world.size() == world.rank(); the answers of the others stay
/// empty. An answer begins before it ends, within one window; the n best over all windows of an
/// item compete by the sum of their two logits.
SpanPredictions predict_spans(Model& model, const QaFeatures& features, const SpanOptions& options,
                              std::int64_t batch_size, const Context& context, const World& world);

}  // namespace llmctl
