#include "tasks/dpo_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "data/collate.h"
#include "tasks/bucketed_source.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

class DpoLoss : public Loss {
 public:
  DpoLoss(Model& model, std::shared_ptr<Model> reference, const DpoRule& rule)
      : model_(model), reference_(std::move(reference)), rule_(rule) {}

  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override {
    return {{kLossName, static_cast<double>(batch.input.rows() / 2)}};
  }

  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override {
    PairLogProbabilities reference;
    {
      const c10::AutoGradMode no_grad(false);
      Context fixed = context;
      fixed.train = fixed.recompute = false;
      reference = pair_log_probabilities(*reference_, batch, fixed);
    }
    const PairLogProbabilities policy = pair_log_probabilities(model_, batch, context);
    LossTerm term;
    term.name = kLossName;
    term.count = static_cast<double>(batch.input.rows() / 2);
    term.sum = dpo_losses(rule_, policy, reference).sum();
    const PairTotals totals = pair_totals(rule_, policy, reference);
    term.extras = {{"reward_accuracy", totals.right},
                   {"reward_margin", totals.margin},
                   {"chosen_reward", totals.chosen},
                   {"rejected_reward", totals.rejected}};
    return {term};
  }

  double tokens(const Batch& batch) const override { return real_tokens(batch.input); }

 private:
  Model& model_;
  std::shared_ptr<Model> reference_;
  DpoRule rule_;
};

}  // namespace

at::Tensor dpo_losses(const DpoRule& rule, const PairLogProbabilities& policy,
                      const PairLogProbabilities& reference) {
  at::Tensor chosen = policy.chosen - reference.chosen;
  at::Tensor rejected = policy.rejected - reference.rejected;
  if (rule.type == "ipo") {
    chosen = chosen / policy.chosen_tokens;
    rejected = rejected / policy.rejected_tokens;
    return (chosen - rejected - 1 / (2 * rule.beta)).square();
  }
  const at::Tensor logits = chosen - rejected;
  if (rule.type == "hinge") return (1 - rule.beta * logits).clamp_min(0);
  const at::Tensor scaled = rule.beta * logits;
  return -at::log_sigmoid(scaled) * (1 - rule.label_smoothing) -
         at::log_sigmoid(-scaled) * rule.label_smoothing;
}

PairLogProbabilities pair_log_probabilities(Model& model, const Batch& batch,
                                            const Context& context) {
  const std::int64_t rows = batch.input.rows(), length = batch.input.length();
  const LabelledRows labelled = labelled_rows(model, batch, context);
  const at::Tensor logits = model.head(labelled.hidden, context).to(at::kFloat);  // [N, V]
  const at::Tensor each =
      at::log_softmax(logits, -1).gather(-1, labelled.labels.unsqueeze(-1)).squeeze(-1);  // [N]
  const at::Tensor places =
      at::nonzero(batch.labels.reshape({-1}).ne(kIgnoreLabel)).reshape({-1});  // [N] of [B·T]
  const at::Tensor row = places.div(length, "floor");
  const auto summed = [&](const at::Tensor& values) {
    return at::zeros({rows}, each.options()).index_add(0, row, values);
  };
  const at::Tensor sums = summed(each), tokens = summed(at::ones_like(each.detach())).clamp_min(1);
  const std::int64_t pairs = rows / 2;
  return {sums.narrow(0, 0, pairs), sums.narrow(0, pairs, pairs), tokens.narrow(0, 0, pairs),
          tokens.narrow(0, pairs, pairs)};
}

PairTotals pair_totals(const DpoRule& rule, const PairLogProbabilities& policy,
                       const PairLogProbabilities& reference) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor chosen = rule.beta * (policy.chosen.detach() - reference.chosen);
  const at::Tensor rejected = rule.beta * (policy.rejected.detach() - reference.rejected);
  const auto sum = [](const at::Tensor& values) {
    return values.to(at::kDouble).sum().item<double>();
  };
  return {sum(dpo_losses(rule, policy, reference)), sum(chosen.gt(rejected)),
          sum(chosen - rejected), sum(chosen), sum(rejected)};
}

std::unique_ptr<Loss> make_dpo_loss(Model& model, std::shared_ptr<Model> reference,
                                    const DpoRule& rule) {
  return std::make_unique<DpoLoss>(model, std::move(reference), rule);
}

}  // namespace llmctl
