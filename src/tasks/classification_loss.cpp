#include "tasks/classification_loss.h"

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>

#include "base/log.h"
#include "tasks/bucketed_source.h"

namespace llmctl {
namespace {

/// Of a dropout seed, for the second view of a batch.
constexpr std::uint64_t kOtherView = 0x9E3779B97F4A7C15;

constexpr const char *kSecondIds = "second_ids", *kSecondTypes = "second_types",
                     *kSecondDocuments = "second_documents";

/// What the second reading of a batch sees.
Sequence second_view(const Batch& batch) {
  if (!batch.extras.contains(kSecondIds)) return batch.input;
  const auto extra = [&](const char* name) {
    const auto found = batch.extras.find(name);
    return found == batch.extras.end() ? at::Tensor() : found->second;
  };
  Sequence view;
  view.ids = extra(kSecondIds);
  view.token_types = extra(kSecondTypes);
  view.documents = extra(kSecondDocuments);
  return view;
}

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

/// KL(p‖q) of the probabilities that two logits [B, K] give, of several labels their mean, of
/// values the squared difference: [B].
at::Tensor divergence(const at::Tensor& p, const at::Tensor& q, ProblemType problem) {
  if (problem == ProblemType::kRegression) return (p.sub(q)).square().squeeze(-1);
  if (problem == ProblemType::kSingleLabel) {
    const at::Tensor log_p = at::log_softmax(p, -1), log_q = at::log_softmax(q, -1);
    return log_p.exp().mul(log_p.sub(log_q)).sum(-1);
  }
  // Of each label present and absent: log σ(x) and log σ(−x).
  const at::Tensor present = at::log_sigmoid(p), absent = at::log_sigmoid(p.neg());
  return present.exp()
      .mul(present.sub(at::log_sigmoid(q)))
      .add(absent.exp().mul(absent.sub(at::log_sigmoid(q.neg()))))
      .mean(-1);
}

at::Tensor teacher_divergence(const at::Tensor& logits, const Batch& batch,
                              const ClassLossOptions& options) {
  const double temperature =
      options.problem == ProblemType::kRegression ? 1 : options.soft_temperature;
  return divergence(batch.extras.at("teacher").div(temperature), logits.div(temperature),
                    options.problem);
}

at::Tensor squared_error(const at::Tensor& logits, const Batch& batch) {
  const at::Tensor losses = logits.squeeze(-1).sub(batch.labels).square();
  return batch.weights.defined() ? losses.mul(batch.weights) : losses;
}

/// Of each row, times its weight: [B].
at::Tensor losses_of(const at::Tensor& logits, const Batch& batch,
                     const ClassLossOptions& options) {
  switch (options.problem) {
    case ProblemType::kSingleLabel:
      return single_label(logits, batch, options);
    case ProblemType::kMultiLabel:
      return several_labels(logits, batch, options);
    case ProblemType::kRegression:
      break;
  }
  return squared_error(logits, batch);
}

}  // namespace

void add_second_view(const Batch& view, Batch& batch) {
  batch.extras[kSecondIds] = view.input.ids;
  if (view.input.token_types.defined()) batch.extras[kSecondTypes] = view.input.token_types;
  if (view.input.documents.defined()) batch.extras[kSecondDocuments] = view.input.documents;
}

at::Tensor class_logits(Model& model, const Sequence& input, const Context& context) {
  const at::Tensor hidden = model.hidden(input, context);
  // [B, T, D] → [B, D] → [B, K]
  return model.head(model.pooled(hidden, input), context).to(at::kFloat);
}

std::vector<std::pair<std::string, double>> ClassificationLoss::counts(const Batch& batch) const {
  const auto rows = static_cast<double>(batch.input.rows());
  std::vector<std::pair<std::string, double>> counts = {{"loss", batch_weight(batch)}};
  if (options_.consistency > 0) counts.emplace_back("consistency", rows);
  if (options_.soft_share) counts.emplace_back("distillation", rows);
  if (options_.hidden) counts.emplace_back("hidden", real_tokens(batch.input));
  return counts;
}

std::vector<LossTerm> ClassificationLoss::terms(const Batch& batch, const Context& context) {
  const auto rows = static_cast<double>(batch.input.rows());
  HiddenDistillation::States states;
  const Tap tap = [&](const std::string& name, const at::Tensor& value) { states[name] = value; };
  Context first = context;
  if (options_.hidden) {
    first.tap = &tap;
    first.tap_attentions = false;
  }
  const at::Tensor logits = class_logits(model_, batch.input, first);
  at::Tensor hard = losses_of(logits, batch, options_), soft;
  if (options_.soft_share) soft = teacher_divergence(logits, batch, options_);
  std::vector<LossTerm> terms;
  if (options_.consistency > 0) {
    Context other = context;
    other.dropout_seed ^= kOtherView;
    const at::Tensor second = class_logits(model_, second_view(batch), other);
    hard = hard.add(losses_of(second, batch, options_)).mul(0.5);
    if (soft.defined()) soft = soft.add(teacher_divergence(second, batch, options_)).mul(0.5);
    const at::Tensor apart = divergence(logits, second, options_.problem)
                                 .add(divergence(second, logits, options_.problem))
                                 .mul(0.5)
                                 .sum();
    if (context.train && !warned_ && logits.equal(second)) {
      warned_ = true;
      log_warning(
          "task.consistency has no effect: the model's dropout is 0, so both views are equal");
    }
    terms.push_back({"consistency", apart, rows, options_.consistency, {}});
  }
  const double share = options_.soft_share.value_or(0);
  terms.insert(terms.begin(), {"loss", hard.sum(), batch_weight(batch), 1 - share, {}});
  if (soft.defined()) {
    const double square = options_.problem == ProblemType::kRegression
                              ? 1
                              : options_.soft_temperature * options_.soft_temperature;
    terms.push_back({"distillation", soft.sum(), rows, share * square, {}});
  }
  if (options_.hidden) {
    terms.push_back({"hidden",
                     options_.hidden->sum(states, batch.input, context),
                     real_tokens(batch.input),
                     options_.hidden->weight(),
                     {}});
  }
  return terms;
}

std::vector<std::pair<std::string, at::Tensor>> ClassificationLoss::parameters() const {
  if (!options_.hidden) return {};
  return options_.hidden->parameters();
}

double ClassificationLoss::tokens(const Batch& batch) const {
  return real_tokens(batch.input);
}

}  // namespace llmctl
