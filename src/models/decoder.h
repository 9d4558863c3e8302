// The decoder body: a causal Transformer with the norms before the blocks (Llama and its kin).
#pragma once

#include <optional>
#include <vector>

#include "models/body.h"
#include "nn/attention.h"
#include "nn/embedding.h"
#include "nn/feed_forward.h"
#include "nn/norm.h"
#include "nn/rope.h"

namespace llmctl {

/// The switches of a decoder.
struct DecoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, max_positions = 0;
  std::int64_t padding_id = -1;  ///< its embedding gets no gradient; -1: none
  AttentionConfig attention;
  FeedForwardConfig feed_forward;
  NormKind norm = NormKind::kRms;
  double norm_eps = 1e-6;
  RopeConfig rope;
};

/// y = x + attention(norm(x)); z = y + feed_forward(norm(y)).
class DecoderLayer : public torch::nn::Module {
 public:
  DecoderLayer(const DecoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                     const Context& context) const;

 private:
  double attention_dropout_;
  std::shared_ptr<Norm> attention_norm_, feed_forward_norm_;
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<FeedForward> feed_forward_;
};

class Decoder : public Body {
 public:
  Decoder(const DecoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const Sequence& input, const Context& context) const override;
  const at::Tensor& word_embeddings() const override { return embedding_->weight; }

 private:
  DecoderConfig config_;
  RotaryEmbedding rope_;
  std::shared_ptr<Embedding> embedding_;
  std::vector<std::shared_ptr<DecoderLayer>> layers_;
  std::shared_ptr<Norm> norm_;
};

}  // namespace llmctl
