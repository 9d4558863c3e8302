#include "models/encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/error.h"
#include "nn/dropout.h"

namespace llmctl {

Encoder::Encoder(const EncoderConfig& config, const at::TensorOptions& options) : config_(config) {
  const auto table = [&](const char* name, std::int64_t rows, std::int64_t padding) {
    return register_module(name,
                           std::make_shared<Embedding>(rows, config.hidden_size, padding, options));
  };
  words_ = table("words", config.vocab_size, config.padding_id);
  positions_ = table("positions", config.max_positions, -1);
  types_ = table("types", config.token_types, -1);
  embedding_norm_ = register_module("embedding_norm",
                                    std::make_shared<Norm>(config.block.norm, config.hidden_size,
                                                           config.block.norm_eps, options));
  for (std::int64_t i = 0; i < config.layers; ++i) {
    layers_.push_back(register_module("layer" + std::to_string(i),
                                      std::make_shared<Block>(config.block, options)));
  }
}

at::Tensor Encoder::embed(const Sequence& input, const Context& context) const {
  at::Tensor positions = positions_of(input);
  if (config_.first_position > 0) positions = positions + config_.first_position;
  check_ids(input.ids, config_.vocab_size, "token");
  check_ids(positions, config_.max_positions, "position");
  at::Tensor sum = words_->forward(input.ids) + positions_->forward(positions);
  if (input.token_types.defined() && config_.token_types > 1) {
    check_ids(input.token_types, config_.token_types, "token type");
    sum = sum + types_->forward(input.token_types);
  } else {
    sum = sum + types_->weight.select(0, 0).to(at::kFloat);
  }
  seed_dropout(context, kEmbeddingBlock, sum.device());
  return dropout(embedding_norm_->forward(sum, at::kFloat), config_.embedding_dropout, context);
}

at::Tensor Encoder::forward(const Sequence& input, const Context& context) const {
  require(!context.cache, ErrorCode::kInternal, "an encoder has no cache");
  AttentionInputs inputs;
  inputs.mask = sequence_mask(input.ids, input.documents, /*causal=*/false);
  at::Tensor x = embed(input, context);
  tap_hidden(context, 0, x);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    x = layers_[static_cast<std::size_t>(i)]->forward(x, inputs, i, context);
    tap_hidden(context, i + 1, x);
  }
  return x;
}

}  // namespace llmctl
