#include "models/encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/error.h"
#include "nn/dropout.h"

namespace llmctl {

EncoderLayer::EncoderLayer(const EncoderConfig& config, const at::TensorOptions& options)
    : dropout_(config.dropout), attention_dropout_(config.attention.dropout) {
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<Norm>(NormKind::kLayer, config.hidden_size,
                                                        config.norm_eps, options));
  };
  attention_ = register_module("attention", std::make_shared<Attention>(config.attention, options));
  attention_norm_ = norm("attention_norm");
  feed_forward_ =
      register_module("feed_forward", std::make_shared<FeedForward>(config.feed_forward, options));
  feed_forward_norm_ = norm("feed_forward_norm");
}

at::Tensor EncoderLayer::forward(const at::Tensor& x, const AttentionInputs& inputs,
                                 std::int64_t index, const Context& context) const {
  seed_dropout(context, index, std::max(dropout_, attention_dropout_), x.device());
  const at::Tensor attended = attention_->forward(x, inputs, index, context);
  const at::Tensor y =
      attention_norm_->forward(x + dropout(attended, dropout_, context), at::kFloat);
  const at::Tensor fed = feed_forward_->forward(y, context);
  return feed_forward_norm_->forward(y + dropout(fed, dropout_, context), at::kFloat);
}

Encoder::Encoder(const EncoderConfig& config, const at::TensorOptions& options) : config_(config) {
  const auto table = [&](const char* name, std::int64_t rows, std::int64_t padding) {
    return register_module(name,
                           std::make_shared<Embedding>(rows, config.hidden_size, padding, options));
  };
  words_ = table("words", config.vocab_size, config.padding_id);
  positions_ = table("positions", config.max_positions, -1);
  types_ = table("types", config.token_types, -1);
  embedding_norm_ = register_module(
      "embedding_norm",
      std::make_shared<Norm>(NormKind::kLayer, config.hidden_size, config.norm_eps, options));
  for (std::int64_t i = 0; i < config.layers; ++i) {
    layers_.push_back(register_module("layer" + std::to_string(i),
                                      std::make_shared<EncoderLayer>(config, options)));
  }
}

at::Tensor Encoder::embed(const Sequence& input, const Context& context) const {
  const at::Tensor positions = positions_of(input);
  check_ids(input.ids, config_.vocab_size, "token");
  check_ids(positions, config_.max_positions, "position");
  at::Tensor sum = words_->forward(input.ids) + positions_->forward(positions);
  if (input.token_types.defined()) {
    check_ids(input.token_types, config_.token_types, "token type");
    sum = sum + types_->forward(input.token_types);
  } else {
    sum = sum + types_->weight.select(0, 0).to(at::kFloat);
  }
  seed_dropout(context, kEmbeddingBlock, config_.dropout, sum.device());
  return dropout(embedding_norm_->forward(sum, at::kFloat), config_.dropout, context);
}

at::Tensor Encoder::forward(const Sequence& input, const Context& context) const {
  require(!context.cache, ErrorCode::kInternal, "an encoder has no cache");
  AttentionInputs inputs;
  inputs.mask = sequence_mask(input.documents, /*causal=*/false);
  at::Tensor x = embed(input, context);
  tap_hidden(context, 0, x);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    x = layers_[static_cast<std::size_t>(i)]->forward(x, inputs, i, context);
    tap_hidden(context, i + 1, x);
  }
  return x;
}

}  // namespace llmctl
