// A golden model with its inputs, labels and expectations.
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/nonzero.h>

#include <algorithm>
#include <memory>

#include "config/json.h"
#include "golden.h"
#include "models/model.h"
#include "support/device.h"

namespace llmctl::test {

inline at::Device device() {
  return at::Device(test::test_device());
}

inline double tolerance(const at::Tensor& wanted) {
  return std::min(5e-5, 1e-5 * (1 + largest(wanted)));
}

/// Documents of right-padded rows: 0, and -1 on padding.
inline at::Tensor documents_of(const at::Tensor& attention_mask) {
  return attention_mask - 1;
}

/// A golden case of a model, or of an adapter on one: its model, inputs and expectations.
class GoldenCase {
 public:
  explicit GoldenCase(const std::filesystem::path& directory, const ModelRequest& request = {})
      : golden_(directory / "expected.safetensors"),
        facts_(load_json(directory / "expected.json")),
        model_(load_model(directory, request)) {
    model_->to(device());
    input_.ids = golden_["input_ids"].to(device());
    input_.documents = documents_of(golden_["attention_mask"]).to(device());
    if (golden_.has("token_type_ids")) {
      input_.token_types = golden_["token_type_ids"].to(device());
    }
    real_ = golden_["attention_mask"];
    if (!model_->facts().encoder_decoder) return;
    source_ = input_;
    const at::Tensor labels = golden_["labels"];
    real_ = labels.ne(kIgnoreLabel).to(at::kLong);
    at::Tensor ids = at::full_like(labels, model_->facts().decoder_start);
    const std::int64_t length = labels.size(1);
    const auto padding = model_->config().at("pad_token_id").get<std::int64_t>();
    ids.narrow(1, 1, length - 1)
        .copy_(labels.masked_fill(labels.eq(kIgnoreLabel), padding).narrow(1, 0, length - 1));
    input_ = Sequence{};
    input_.ids = ids.to(device());
  }

  /// Hidden states of the model, or of its decoder.
  at::Tensor hidden(Context context = {}) const {
    Memory memory;
    if (model_->facts().encoder_decoder) {
      memory = {model_->encode(source_, context), source_.documents};
      context.memory = &memory;
    }
    return model_->hidden(input_, context);
  }
  /// 1 where hidden states and logits are to be compared.
  const at::Tensor& real() const { return real_; }

  Model& model() { return *model_; }
  const Golden& golden() const { return golden_; }
  const Json& facts() const { return facts_; }
  const Sequence& input() const { return input_; }

  /// Labels [B, T] of the tokens that the hidden states at the same places predict.
  at::Tensor labels() const {
    const at::Tensor labels = golden_["labels"].to(device());
    if (!model_->facts().causal || model_->facts().encoder_decoder) return labels;
    at::Tensor shifted = at::full_like(labels, kIgnoreLabel);
    const std::int64_t length = labels.size(1);
    shifted.narrow(1, 0, length - 1).copy_(labels.narrow(1, 1, length - 1));
    return shifted;
  }

  at::Tensor loss(const at::Tensor& hidden) const {
    const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)});
    switch (model_->facts().head) {
      case HeadKind::kCausalLm:
      case HeadKind::kSeq2SeqLm:
      case HeadKind::kMaskedLm: {
        const at::Tensor flat = labels().reshape({-1});
        const at::Tensor index = at::nonzero(flat.ne(kIgnoreLabel)).reshape({-1});
        return model_->lm_loss(rows.index_select(0, index), flat.index_select(0, index), {}) /
               index.numel();
      }
      case HeadKind::kSpan: {
        const at::Tensor logits = model_->head(rows, {}).view({hidden.size(0), hidden.size(1), 2});
        at::Tensor sum;
        for (const auto& [column, name] : {std::pair{0, "start_positions"}, {1, "end_positions"}}) {
          const std::int64_t length = hidden.size(1);
          const at::Tensor wanted = golden_[name].to(device()).clamp(0, length);
          const at::Tensor part = at::cross_entropy_loss(logits.select(2, column), wanted, {},
                                                         at::Reduction::Mean, length);
          sum = sum.defined() ? sum + part : part;
        }
        return sum / 2;
      }
      case HeadKind::kSequenceClassification: {
        const at::Tensor logits = classification(hidden);
        const at::Tensor wanted = golden_["labels"].to(device());
        if (wanted.is_floating_point()) return at::mse_loss(logits.squeeze(1), wanted);
        return at::cross_entropy_loss(logits, wanted);
      }
      case HeadKind::kTokenClassification:
        return at::cross_entropy_loss(model_->head(rows, {}),
                                      golden_["labels"].to(device()).reshape({-1}), {},
                                      at::Reduction::Mean, kIgnoreLabel);
      case HeadKind::kNone:
        break;
    }
    ADD_FAILURE() << "no loss for this head";
    return {};
  }

  at::Tensor classification(const at::Tensor& hidden) const {
    return model_->head(model_->pooled(hidden, input_), {});
  }

 private:
  Golden golden_;
  Json facts_;
  std::unique_ptr<Model> model_;
  Sequence source_, input_;  // source: of encoder-decoders
  at::Tensor real_;
};

}  // namespace llmctl::test
