#include "tasks/lm_loss.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/nonzero.h>

#include <algorithm>

#include "base/error.h"
#include "data/collate.h"
#include "ops/gather_rows.h"

namespace llmctl {

namespace {

std::int64_t count_labels(const Batch& batch) {
  if (const auto found = batch.extras.find(kLabelRows); found != batch.extras.end()) {
    return found->second.numel();
  }
  const at::Tensor labels = batch.labels.contiguous();
  const auto* values = labels.const_data_ptr<std::int64_t>();
  return labels.numel() - std::count(values, values + labels.numel(), kIgnoreLabel);
}

class LmLoss : public Loss {
 public:
  LmLoss(Model& model, double label_smoothing) : model_(model), label_smoothing_(label_smoothing) {}

  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override {
    return {{"loss", static_cast<double>(count_labels(batch))}};
  }

  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override {
    require(!batch.weights.defined(), ErrorCode::kInternal,
            "the language model's loss knows no weights of rows");
    const LabelledRows rows = labelled_rows(model_, batch, context);
    LossTerm term;
    term.name = "loss";
    term.count = static_cast<double>(rows.labels.numel());
    // Without a label the sum is zero, but still a function of the parameters.
    term.sum = rows.labels.numel() > 0
                   ? model_.lm_loss(rows.hidden, rows.labels, context, nullptr, label_smoothing_)
                   : rows.hidden.sum();
    return {term};
  }

  double tokens(const Batch& batch) const override {
    if (batch.target.ids.defined()) return static_cast<double>(count_labels(batch));
    const at::Tensor& documents = batch.input.documents;
    if (!documents.defined()) return static_cast<double>(batch.input.ids.numel());
    const at::Tensor host = documents.contiguous();
    const auto* values = host.const_data_ptr<std::int64_t>();
    return static_cast<double>(
        std::count_if(values, values + host.numel(), [](std::int64_t d) { return d >= 0; }));
  }

 private:
  Model& model_;
  double label_smoothing_;
};

/// Of an encoder-decoder the decoder's, over the encoded input.
at::Tensor hidden_of(Model& model, const Batch& batch, const Context& context) {
  if (!model.facts().encoder_decoder) return model.hidden(batch.input, context);
  const Memory memory{model.encode(batch.input, context), batch.input.documents};
  Context over_memory = context;
  over_memory.memory = &memory;
  return model.hidden(batch.target, over_memory);
}

}  // namespace

LabelledRows labelled_rows(Model& model, const Batch& batch, const Context& context) {
  const at::Tensor hidden = hidden_of(model, batch, context);
  const at::Tensor all = hidden.reshape({-1, hidden.size(-1)});  // [B, T, D] → [B·T, D]
  const at::Tensor labels = batch.labels.reshape({-1});          // [B, T] → [B·T]
  const auto found = batch.extras.find(kLabelRows);
  const at::Tensor rows = found != batch.extras.end()
                              ? found->second
                              : at::nonzero(labels.ne(kIgnoreLabel)).reshape({-1});  // [N]
  if (rows.numel() == labels.numel()) return {all, labels};
  return {gather_rows(all, rows), at::index_select(labels, 0, rows)};
}

std::unique_ptr<Loss> make_lm_loss(Model& model, double label_smoothing) {
  return std::make_unique<LmLoss>(model, label_smoothing);
}

}  // namespace llmctl
