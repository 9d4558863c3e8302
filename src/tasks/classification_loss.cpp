#include "tasks/classification_loss.h"

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>

#include "tasks/bucketed_source.h"

namespace llmctl {
namespace {

/// What a batch counts: its weights, or its rows where it has none.
double batch_weight(const Batch& batch) {
  return batch.weights.defined() ? batch.weights.sum().item<double>()
                                 : static_cast<double>(batch.input.rows());
}

/// (1 − p)^gamma of losses −log p. The base stays above 0, where the power has a gradient.
at::Tensor focal_factor(const at::Tensor& losses, double gamma) {
  return losses.neg().exp().neg().add(1).clamp_min(1e-6).pow(gamma);
}

at::Tensor weights_of(const ClassLossOptions& options, const at::Tensor& like) {
  return at::tensor(options.class_weights, at::kFloat).to(like.device());
}

/// Of one label among several, times the rows' weights: [B].
at::Tensor single_label(const at::Tensor& logits, const Batch& batch,
                        const ClassLossOptions& options) {
  const at::Tensor log_shares = at::log_softmax(logits, -1);  // [B, K]
  at::Tensor losses = -log_shares.gather(-1, batch.labels.unsqueeze(-1)).squeeze(-1);
  if (options.focal_gamma > 0) losses = losses.mul(focal_factor(losses, options.focal_gamma));
  if (options.label_smoothing > 0) {
    at::Tensor others = -log_shares;
    if (!options.class_weights.empty()) {
      // The row's weight holds that of its own class; each class has its own here.
      const at::Tensor weights = weights_of(options, logits);
      others = others.mul(weights).div(weights.index_select(0, batch.labels).unsqueeze(-1));
    }
    const double share = options.label_smoothing;
    losses = losses.mul(1 - share).add(others.mean(-1).mul(share));
  }
  return batch.weights.defined() ? losses.mul(batch.weights) : losses;
}

/// Of labels each for itself, the mean over them: [B].
at::Tensor several_labels(const at::Tensor& logits, const Batch& batch,
                          const ClassLossOptions& options) {
  const double share = options.label_smoothing;
  const at::Tensor truth = batch.labels.to(at::kFloat).mul(1 - share).add(share / 2);
  c10::optional<at::Tensor> positive;
  if (!options.class_weights.empty()) positive = weights_of(options, logits);
  at::Tensor losses =
      at::binary_cross_entropy_with_logits(logits, truth, {}, positive, at::Reduction::None);
  if (options.focal_gamma > 0) {
    const at::Tensor plain =
        at::binary_cross_entropy_with_logits(logits, truth, {}, {}, at::Reduction::None);
    losses = losses.mul(focal_factor(plain, options.focal_gamma));
  }
  losses = losses.mean(-1);
  return batch.weights.defined() ? losses.mul(batch.weights) : losses;
}

at::Tensor squared_error(const at::Tensor& logits, const Batch& batch) {
  const at::Tensor losses = logits.squeeze(-1).sub(batch.labels).square();
  return batch.weights.defined() ? losses.mul(batch.weights) : losses;
}

}  // namespace

at::Tensor class_logits(Model& model, const Sequence& input, const Context& context) {
  const at::Tensor hidden = model.hidden(input, context);
  const at::Tensor position = model.pooled_position(input).to(hidden.device());
  // [B] → [B, 1, D]
  const at::Tensor index = position.reshape({-1, 1, 1}).expand({hidden.size(0), 1, hidden.size(2)});
  // [B, T, D] → [B, 1, D] → [B, D] → [B, K]
  return model.head(hidden.gather(1, index).squeeze(1), context).to(at::kFloat);
}

std::vector<std::pair<std::string, double>> ClassificationLoss::counts(const Batch& batch) const {
  return {{"loss", batch_weight(batch)}};
}

std::vector<LossTerm> ClassificationLoss::terms(const Batch& batch, const Context& context) {
  const at::Tensor logits = class_logits(model_, batch.input, context);
  at::Tensor losses;
  switch (options_.problem) {
    case ProblemType::kSingleLabel:
      losses = single_label(logits, batch, options_);
      break;
    case ProblemType::kMultiLabel:
      losses = several_labels(logits, batch, options_);
      break;
    case ProblemType::kRegression:
      losses = squared_error(logits, batch);
      break;
  }
  return {{"loss", losses.sum(), batch_weight(batch), 1.0, {}}};
}

double ClassificationLoss::tokens(const Batch& batch) const {
  return real_tokens(batch.input);
}

}  // namespace llmctl
