#include "models/decoder.h"

#include <ATen/TensorOperators.h>

#include "nn/dropout.h"

namespace llmctl {

DecoderLayer::DecoderLayer(const DecoderConfig& config, const at::TensorOptions& options)
    : attention_dropout_(config.attention.dropout) {
  const auto norm = [&](const char* name) {
    return register_module(
        name, std::make_shared<Norm>(config.norm, config.hidden_size, config.norm_eps, options));
  };
  attention_norm_ = norm("attention_norm");
  attention_ = register_module("attention", std::make_shared<Attention>(config.attention, options));
  feed_forward_norm_ = norm("feed_forward_norm");
  feed_forward_ =
      register_module("feed_forward", std::make_shared<FeedForward>(config.feed_forward, options));
}

at::Tensor DecoderLayer::forward(const at::Tensor& x, const AttentionInputs& inputs,
                                 std::int64_t index, const Context& context) const {
  seed_dropout(context, index, attention_dropout_, x.device());
  const at::Tensor y =
      x + attention_->forward(attention_norm_->forward(x, context.compute), inputs, index, context);
  return y + feed_forward_->forward(feed_forward_norm_->forward(y, context.compute), context);
}

Decoder::Decoder(const DecoderConfig& config, const at::TensorOptions& options)
    : config_(config), rope_(config.rope, config.attention.head_size) {
  embedding_ = register_module("embedding",
                               std::make_shared<Embedding>(config.vocab_size, config.hidden_size,
                                                           config.padding_id, options));
  for (std::int64_t i = 0; i < config.layers; ++i) {
    layers_.push_back(register_module("layer" + std::to_string(i),
                                      std::make_shared<DecoderLayer>(config, options)));
  }
  norm_ = register_module(
      "norm", std::make_shared<Norm>(config.norm, config.hidden_size, config.norm_eps, options));
}

at::Tensor Decoder::forward(const Sequence& input, const Context& context) const {
  check_ids(input.ids, config_.vocab_size, "token");
  AttentionInputs inputs;
  inputs.mask = context.cache ? cache_mask(*context.cache, input.length(), input.ids.device())
                              : sequence_mask(input.documents, /*causal=*/true);
  std::tie(inputs.cosines, inputs.sines) = rope_.angles(positions_of(input));
  at::Tensor x = embedding_->forward(input.ids);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    tap_hidden(context, i, x);
    x = layers_[static_cast<std::size_t>(i)]->forward(x, inputs, i, context);
  }
  x = norm_->forward(x, at::kFloat);
  tap_hidden(context, config_.layers, x);
  return x;
}

}  // namespace llmctl
