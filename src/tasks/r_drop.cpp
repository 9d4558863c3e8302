#include "tasks/r_drop.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>

#include <algorithm>
#include <utility>

#include "data/collate.h"
#include "nn/recompute.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

/// Rows whose distributions are held at once.
constexpr std::int64_t kChunkElements = 16 << 20;

at::Tensor twice(const at::Tensor& tensor) {
  return tensor.defined() ? at::cat({tensor, tensor}) : tensor;
}

Sequence twice(const Sequence& sequence) {
  return {twice(sequence.ids), twice(sequence.positions), twice(sequence.token_types),
          twice(sequence.documents)};
}

Batch twice(const Batch& batch) {
  Batch both{twice(batch.input), twice(batch.target), twice(batch.labels), batch.weights, {}};
  if (const auto rows = batch.extras.find(kLabelRows); rows != batch.extras.end())
    both.extras[kLabelRows] = at::cat({rows->second, rows->second + batch.labels.numel()});
  return both;
}

/// Sum over the rows of KL(a ‖ b) + KL(b ‖ a) of the head's distributions on rows a and b [N, D].
at::Tensor divergence(Model& model, const at::Tensor& a, const at::Tensor& b,
                      const Context& context) {
  const std::int64_t rows = a.size(0),
                     step = std::max<std::int64_t>(64, kChunkElements / model.facts().vocab_size);
  at::Tensor sum;
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    const std::int64_t size = std::min(step, rows - begin);
    // Distributions are made again in the backward pass instead of being kept.
    const at::Tensor part = recompute(
        [&model, context](const std::vector<at::Tensor>& entered) {
          const at::Tensor p = at::log_softmax(model.head(entered[0], context), -1),
                           q = at::log_softmax(model.head(entered[1], context), -1);
          return ((p.exp() - q.exp()) * (p - q)).sum();
        },
        {a.narrow(0, begin, size), b.narrow(0, begin, size)});
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

class RDropLoss : public Loss {
 public:
  RDropLoss(Model& model, double alpha, double label_smoothing)
      : model_(model),
        alpha_(alpha),
        label_smoothing_(label_smoothing),
        plain_(make_lm_loss(model, label_smoothing)) {}

  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override {
    const double labels = plain_->counts(batch).front().second;
    return {{"loss", labels}, {"r_drop", labels}};
  }

  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override {
    const double count = plain_->counts(batch).front().second;
    const LabelledRows rows = labelled_rows(model_, twice(batch), context);
    const std::int64_t half = rows.labels.numel() / 2;
    if (half == 0) {
      const at::Tensor none = rows.hidden.sum();
      return {{"loss", none, 0, 1.0, {}}, {"r_drop", none, 0, alpha_ / 2, {}}};
    }
    const at::Tensor both =
        model_.lm_loss(rows.hidden, rows.labels, context, nullptr, label_smoothing_);
    const at::Tensor apart = divergence(model_, rows.hidden.narrow(0, 0, half),
                                        rows.hidden.narrow(0, half, half), context);
    return {{"loss", both * 0.5, count, 1.0, {}}, {"r_drop", apart * 0.5, count, alpha_ / 2, {}}};
  }

  double tokens(const Batch& batch) const override { return plain_->tokens(batch); }

 private:
  Model& model_;
  double alpha_, label_smoothing_;
  std::unique_ptr<Loss> plain_;
};

}  // namespace

std::unique_ptr<Loss> make_r_drop_loss(Model& model, double alpha, double label_smoothing) {
  return std::make_unique<RDropLoss>(model, alpha, label_smoothing);
}

}  // namespace llmctl
