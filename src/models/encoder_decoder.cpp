#include "models/encoder_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/initialize.h"

namespace llmctl {
namespace {

/// Blocks of the decoder for dropout's draws, beside those of the encoder.
constexpr std::int64_t kDecoderBlocks = 1 << 20;

/// Nothing later than the query is seen.
at::Tensor causal_bias(std::int64_t length, const at::Device& device) {
  return at::triu(at::full({1, 1, length, length}, -std::numeric_limits<float>::infinity(),
                           at::TensorOptions().dtype(at::kFloat).device(device)),
                  1);
}

}  // namespace

Stack::Stack(const EncoderDecoderConfig& config, bool causal, const at::TensorOptions& options)
    : dropout_(config.embedding_dropout), causal_(causal) {
  const BlockConfig& block = causal ? config.decoder : config.encoder;
  if (config.relative) {
    RelativePositionsConfig relative = *config.relative;
    relative.bidirectional = !causal;
    relative_ = register_module("relative", std::make_shared<RelativePositions>(relative, options));
  }
  for (std::int64_t i = 0; i < (causal ? config.decoder_layers : config.encoder_layers); ++i) {
    layers_.push_back(
        register_module("layer" + std::to_string(i), std::make_shared<Block>(block, options)));
  }
  if (config.final_norm) {
    norm_ = register_module(
        "norm", std::make_shared<Norm>(block.norm, config.hidden_size, block.norm_eps, options));
  }
}

AttentionMask Stack::mask(const Sequence& input) const {
  AttentionMask mask = sequence_mask(input.ids, input.documents, causal_);
  if (!relative_) return mask;
  const at::Tensor distances = relative_->bias(input.length());
  if (mask.causal) mask = {false, causal_bias(input.length(), input.ids.device())};
  mask.bias = mask.bias.defined() ? mask.bias + distances : distances;
  return mask;
}

at::Tensor Stack::forward(at::Tensor x, const Sequence& input, const Context& outer) const {
  Context context = outer;
  if (!causal_) context.cache = nullptr;
  context.tap_prefix = causal_ ? "decoder_" : "encoder_";
  AttentionInputs inputs;
  if (context.cache) {
    if (relative_) inputs.cached.distance_bias = relative_->distance_bias(context.cache->reach());
  } else {
    inputs.mask = mask(input);
    if (causal_) inputs.memory_mask = memory_mask(*context.memory);
  }
  const auto layers = static_cast<std::int64_t>(layers_.size());
  Context layer_context = context;
  // Layers of the two stacks draw apart; the cache and the taps count from 0 in either.
  if (causal_) layer_context.dropout_seed += kDecoderBlocks;
  for (std::int64_t i = 0; i < layers; ++i) {
    tap_hidden(context, i, x);
    x = layers_[static_cast<std::size_t>(i)]->forward(x, inputs, i, layer_context);
  }
  if (norm_) {
    seed_dropout(layer_context, layers, x.device());
    x = dropout(norm_->forward(x, at::kFloat), dropout_, context);
  }
  tap_hidden(context, layers, x);
  return x;
}

EncoderDecoder::EncoderDecoder(const EncoderDecoderConfig& config, const at::TensorOptions& options)
    : config_(config), sinusoids_([rows = config.max_positions, columns = config.hidden_size] {
        at::Tensor table = at::empty({rows, columns}, at::kFloat);
        fill_half_sinusoids(table);
        return table;
      }) {
  embedding_ = register_module("embedding",
                               std::make_shared<Embedding>(config.vocab_size, config.hidden_size,
                                                           config.padding_id, options));
  if (config.source_vocab_size > 0) {
    source_embedding_ =
        register_module("source_embedding",
                        std::make_shared<Embedding>(config.source_vocab_size, config.hidden_size,
                                                    config.padding_id, options));
  }
  encoder_ = register_module("encoder", std::make_shared<Stack>(config, false, options));
  decoder_ = register_module("decoder", std::make_shared<Stack>(config, true, options));
}

at::Tensor EncoderDecoder::embed(const Sequence& input, const Embedding& table, std::int64_t block,
                                 const Context& context) const {
  check_ids(input.ids, table.weight.size(0), "token");
  at::Tensor x = table.forward(input.ids);
  if (config_.embedding_scale != 1) x = x * config_.embedding_scale;
  if (!config_.relative) {
    const at::Tensor positions = positions_of(input);
    check_ids(positions, config_.max_positions, "position");
    x = x + at::embedding(sinusoids_.on(x.device()), positions);
  }
  seed_dropout(context, block, x.device());
  return dropout(x, config_.embedding_dropout, context);
}

at::Tensor EncoderDecoder::encode(const Sequence& source, const Context& context) const {
  const Embedding& table = source_embedding_ ? *source_embedding_ : *embedding_;
  return encoder_->forward(embed(source, table, kEmbeddingBlock, context), source, context);
}

at::Tensor EncoderDecoder::forward(const Sequence& input, const Context& context) const {
  require(context.memory != nullptr, ErrorCode::kInternal,
          "a decoder without its encoder's states");
  const std::int64_t block = kEmbeddingBlock - kDecoderBlocks;
  return decoder_->forward(embed(input, *embedding_, block, context), input, context);
}

}  // namespace llmctl
