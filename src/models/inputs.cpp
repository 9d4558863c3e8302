#include "models/inputs.h"

#include <ATen/TensorOperators.h>

#include "base/error.h"
#include "models/body.h"

namespace llmctl {
namespace {

void check_lm_labels(const at::Tensor& labels, std::int64_t vocab_size) {
  const at::Tensor contiguous = labels.contiguous();
  const std::int64_t* const values = contiguous.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < contiguous.numel(); ++i) {
    require(values[i] == kIgnoreLabel || (values[i] >= 0 && values[i] < vocab_size),
            ErrorCode::kData, "label ", values[i], " is outside the model's range of 0 to ",
            vocab_size - 1);
  }
}

/// The ids, with 0 for what stands on padding where the tokenizer's id of padding is one that the
/// model has no row for (added behind it): nobody sees it.
at::Tensor with_known_padding(const Sequence& sequence, std::int64_t vocab_size) {
  const at::Tensor& ids = sequence.ids;
  if (!sequence.documents.defined() || !ids.is_cpu() || ids.numel() == 0 ||
      ids.max().item<std::int64_t>() < vocab_size) {
    return ids;
  }
  return ids.masked_fill(sequence.documents.lt(0).logical_and(ids.ge(vocab_size)), 0);
}

bool is_lm(HeadKind head) {
  return head == HeadKind::kCausalLm || head == HeadKind::kMaskedLm || head == HeadKind::kSeq2SeqLm;
}

}  // namespace

Batch to_model(const Batch& batch, const Model& model) {
  const ModelFacts& facts = model.facts();
  Batch checked = batch;
  const auto check = [](Sequence& sequence, std::int64_t vocab_size) {
    if (!sequence.ids.defined()) return;
    sequence.ids = with_known_padding(sequence, vocab_size);
    check_ids(sequence.ids, vocab_size, "token");
  };
  const bool pairs = batch.target.ids.defined();
  check(checked.input, pairs ? facts.source_vocab_size() : facts.vocab_size);
  check(checked.target, facts.vocab_size);
  const at::Tensor& labels = batch.labels;
  if (is_lm(facts.head) && labels.defined() && labels.is_cpu() &&
      labels.scalar_type() == at::kLong) {
    check_lm_labels(labels, facts.vocab_size);
  }
  return to_device(checked, model.device());
}

Sequence to_model(const Sequence& sequence, const Model& model) {
  Batch batch;
  batch.input = sequence;
  return to_model(batch, model).input;
}

Sequence source_to_model(const Sequence& sequence, const Model& model) {
  Sequence checked = sequence;
  checked.ids = with_known_padding(sequence, model.facts().source_vocab_size());
  check_ids(checked.ids, model.facts().source_vocab_size(), "token");
  Batch batch;
  batch.input = checked;
  return to_device(batch, model.device()).input;
}

}  // namespace llmctl
