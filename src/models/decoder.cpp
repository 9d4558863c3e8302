#include "models/decoder.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "nn/dropout.h"

namespace llmctl {

Decoder::Decoder(const DecoderConfig& config, const at::TensorOptions& options) : config_(config) {
  const auto table = [&](const char* name, std::int64_t rows, std::int64_t padding) {
    return register_module(name,
                           std::make_shared<Embedding>(rows, config.hidden_size, padding, options));
  };
  embedding_ = table("embedding", config.vocab_size, config.padding_id);
  if (config.rope) {
    rope_.emplace(*config.rope, config.block.attention.head_size);
  } else {
    positions_ = table("positions", config.max_positions, -1);
  }
  for (std::int64_t i = 0; i < config.layers; ++i) {
    BlockConfig block = config.block;
    if (config.scale_by_layer) {
      AttentionConfig& attention = block.attention;
      attention.scale =
          attention.scale.value_or(1 / std::sqrt(static_cast<double>(attention.head_size))) /
          static_cast<double>(i + 1);
    }
    layers_.push_back(
        register_module("layer" + std::to_string(i), std::make_shared<Block>(block, options)));
  }
  norm_ = register_module("norm", std::make_shared<Norm>(config.block.norm, config.hidden_size,
                                                         config.block.norm_eps, options));
}

at::Tensor Decoder::embed(const Sequence& input, const at::Tensor& positions,
                          const Context& context) const {
  check_ids(input.ids, config_.vocab_size, "token");
  at::Tensor x = embedding_->forward(input.ids);
  if (positions_) {
    check_ids(positions, config_.max_positions, "position");
    x = x + positions_->forward(positions);
  }
  seed_dropout(context, kEmbeddingBlock, x.device());
  return dropout(x, config_.embedding_dropout, context);
}

AttentionInputs Decoder::attention_inputs(const Sequence& input, const at::Tensor& positions,
                                          std::int64_t window, const Context& context) const {
  AttentionInputs inputs;
  if (context.cache) {
    inputs.cached.window = window;
  } else {
    inputs.mask = sequence_mask(input.ids, input.documents, /*causal=*/true, window);
  }
  if (rope_)
    std::tie(inputs.cosines, inputs.sines) =
        rope_->angles(positions, context.cache ? input.documents : at::Tensor());
  return inputs;
}

at::Tensor Decoder::forward(const Sequence& input, const Context& context) const {
  const at::Tensor positions = positions_of(input);
  at::Tensor x = embed(input, positions, context);
  std::map<std::int64_t, AttentionInputs> inputs;  // one for each width of window
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    tap_hidden(context, i, x);
    const std::int64_t window = config_.window(i);
    auto found = inputs.find(window);
    if (found == inputs.end()) {
      found = inputs.emplace(window, attention_inputs(input, positions, window, context)).first;
    }
    x = layers_[static_cast<std::size_t>(i)]->forward(x, found->second, i, context);
  }
  x = norm_->forward(x, at::kFloat);
  tap_hidden(context, config_.layers, x);
  return x;
}

}  // namespace llmctl
