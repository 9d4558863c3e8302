#include "train/step.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "models/inputs.h"

namespace llmctl {
namespace {

/// Names and counts of the loss terms over the micro-batches of all ranks, sums still zero; and the
/// tokens of the step.
std::vector<TermSum> global_counts(const TrainingRun& run, const std::vector<Batch>& batches,
                                   double& tokens) {
  std::vector<TermSum> terms;
  std::vector<double> values;  // the tokens, then each term's count
  for (const Batch& batch : batches) {
    const auto counts = run.loss.counts(batch);
    terms.resize(counts.size());
    values.resize(counts.size() + 1);
    values[0] += run.loss.tokens(batch);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      terms[i].name = counts[i].first;
      values[i + 1] += counts[i].second;
    }
  }
  run.world.sum(values);
  tokens = values[0];
  for (std::size_t i = 0; i < terms.size(); ++i) terms[i].count = values[i + 1];
  return terms;
}

/// The terms' sums from the device, and the extras, over all ranks.
void read_sums(World& world, const std::vector<at::Tensor>& sums, std::vector<TermSum>& terms) {
  const at::Tensor read = at::stack(sums).cpu();
  std::vector<double> values(read.const_data_ptr<double>(),
                             read.const_data_ptr<double>() + read.numel());
  for (const TermSum& term : terms) {
    for (const auto& [name, value] : term.extras) values.push_back(value);
  }
  world.sum(values);
  std::size_t next = 0;
  for (TermSum& term : terms) term.sum = values[next++];
  for (TermSum& term : terms) {
    for (auto& [name, value] : term.extras) value = values[next++];
  }
}

}  // namespace

StepResult compute_gradients(const TrainingRun& run, const NamedTensors& parameters,
                             at::ScalarType compute, std::int64_t step,
                             const std::vector<Batch>& batches) {
  require(!batches.empty(), ErrorCode::kInternal, "step ", step, " has no batch on rank ",
          run.world.rank());
  StepResult result;
  result.terms = global_counts(run, batches, result.tokens);
  std::vector<TermSum>& terms = result.terms;
  std::vector<at::Tensor> sums(terms.size());  // stay on the device: one reading per step
  for (std::size_t micro = 0; micro < batches.size(); ++micro) {
    Context context;
    context.train = true;
    context.compute = compute;
    context.recompute = run.train.activation_checkpointing;
    context.dropout_seed = Random(random_key(run.seed, "dropout", static_cast<std::uint64_t>(step),
                                             micro, static_cast<std::uint64_t>(run.world.rank())))
                               .next();
    const auto parts = run.loss.terms(to_model(batches[micro], run.model), context);
    require(parts.size() == terms.size(), ErrorCode::kInternal, "step ", step, ": ", parts.size(),
            " loss terms, but ", terms.size(), " counts");
    at::Tensor loss;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const LossTerm& part = parts[i];
      terms[i].coefficient = part.coefficient;
      for (const auto& [name, value] : part.extras) terms[i].extras[name] += value;
      const at::Tensor sum = part.sum.detach().to(at::kDouble);
      sums[i] = sums[i].defined() ? sums[i].add(sum) : sum;
      if (terms[i].count <= 0 || !part.sum.requires_grad()) continue;
      const at::Tensor share = part.sum.mul(part.coefficient / terms[i].count);
      loss = loss.defined() ? loss.add(share) : share;
    }
    if (loss.defined()) loss.backward();
  }
  read_sums(run.world, sums, terms);
  if (run.reduce_gradients) run.reduce_gradients(parameters);
  result.gradient_norm = std::sqrt(gradient_square_sum(parameters));
  double bad = std::isfinite(total_loss(terms)) && std::isfinite(result.gradient_norm) ? 0 : 1;
  run.world.max({&bad, 1});
  result.finite = bad == 0;
  return result;
}

}  // namespace llmctl
