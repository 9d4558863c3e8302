// The encoder-decoder body: an encoder whose states a causal decoder attends to (Vaswani et al.,
// 2017; Marian, T5).
#pragma once

#include <optional>
#include <vector>

#include "models/block.h"
#include "models/body.h"
#include "nn/constant_table.h"
#include "nn/embedding.h"
#include "nn/relative_positions.h"

namespace llmctl {

/// The switches of an encoder-decoder.
struct EncoderDecoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, encoder_layers = 0, decoder_layers = 0;
  std::int64_t max_positions = 0;
  /// Rows of the encoder's token embeddings where they are not the decoder's; 0: they are.
  std::int64_t source_vocab_size = 0;
  std::int64_t padding_id = -1;  ///< its embedding gets no gradient; -1: none
  BlockConfig encoder, decoder;
  double embedding_scale = 1;
  /// Distances as biases that all layers share; without it positions are sinusoids, sines in the
  /// first half of the columns and cosines in the second (Marian).
  std::optional<RelativePositionsConfig> relative;
  bool final_norm = false;  ///< at the end of either stack, with dropout behind it
  double embedding_dropout = 0;
};

/// One of the two stacks of layers.
class Stack : public torch::nn::Module {
 public:
  Stack(const EncoderDecoderConfig& config, bool causal, const at::TensorOptions& options);
  /// Embedded tokens [B, T, D] → [B, T, D] fp32.
  at::Tensor forward(at::Tensor x, const Sequence& input, const Context& context) const;

 private:
  AttentionMask mask(const Sequence& input) const;

  double dropout_;
  bool causal_;
  std::vector<std::shared_ptr<Block>> layers_;
  std::shared_ptr<RelativePositions> relative_;
  std::shared_ptr<Norm> norm_;
};

class EncoderDecoder : public Body {
 public:
  EncoderDecoder(const EncoderDecoderConfig& config, const at::TensorOptions& options);
  /// The encoder's states of `source` [B, S, D].
  at::Tensor encode(const Sequence& source, const Context& context) const override;
  /// The decoder's hidden states over context.memory.
  at::Tensor forward(const Sequence& input, const Context& context) const override;
  Embedding& words() const override { return *embedding_; }
  Embedding* source_words() const override { return source_embedding_.get(); }

 private:
  at::Tensor embed(const Sequence& input, const Embedding& table, std::int64_t block,
                   const Context& context) const;

  EncoderDecoderConfig config_;
  std::shared_ptr<Embedding> embedding_;  // of the decoder, and of the encoder without its own
  std::shared_ptr<Embedding> source_embedding_;  // perhaps null
  ConstantTable sinusoids_;                      // [max_positions, D]
  std::shared_ptr<Stack> encoder_, decoder_;
};

}  // namespace llmctl
