// The encoder body: a bidirectional Transformer with learned positions and the norms behind the
// blocks (BERT, Devlin et al., 2019, and its kin).
#pragma once

#include <vector>

#include "models/body.h"
#include "nn/attention.h"
#include "nn/embedding.h"
#include "nn/feed_forward.h"
#include "nn/norm.h"

namespace llmctl {

/// The switches of an encoder.
struct EncoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, max_positions = 0, token_types = 0;
  std::int64_t padding_id = -1;  ///< its embedding gets no gradient; -1: none
  AttentionConfig attention;
  FeedForwardConfig feed_forward;
  double norm_eps = 1e-12;
  double dropout = 0;  ///< of the embeddings and of what each block adds
};

/// y = norm(x + dropout(attention(x))); z = norm(y + dropout(feed_forward(y))).
class EncoderLayer : public torch::nn::Module {
 public:
  EncoderLayer(const EncoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                     const Context& context) const;

 private:
  double dropout_, attention_dropout_;
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<Norm> attention_norm_, feed_forward_norm_;
  std::shared_ptr<FeedForward> feed_forward_;
};

class Encoder : public Body {
 public:
  Encoder(const EncoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const Sequence& input, const Context& context) const override;
  const at::Tensor& word_embeddings() const override { return words_->weight; }

 private:
  at::Tensor embed(const Sequence& input, const Context& context) const;

  EncoderConfig config_;
  std::shared_ptr<Embedding> words_, positions_, types_;
  std::shared_ptr<Norm> embedding_norm_;
  std::vector<std::shared_ptr<EncoderLayer>> layers_;
};

}  // namespace llmctl
