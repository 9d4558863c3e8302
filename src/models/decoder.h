// The decoder body: a causal Transformer with the norms before the blocks (GPT-2, Llama and their
// kin).
#pragma once

#include <optional>
#include <vector>

#include "models/block.h"
#include "models/body.h"
#include "nn/embedding.h"
#include "nn/rope.h"

namespace llmctl {

/// The switches of a decoder.
struct DecoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, max_positions = 0;
  std::int64_t padding_id = -1;  ///< its embedding gets no gradient; -1: none
  BlockConfig block;
  std::optional<RopeConfig> rope;  ///< without it positions have vectors of their own
  double embedding_dropout = 0;
  /// Tokens that each layer's attention looks back, itself included; 0 or no entry: all.
  std::vector<std::int64_t> windows;
  bool scale_by_layer = false;  ///< layer i divides QKᵀ by i + 1 (GPT-2's option)

  std::int64_t window(std::int64_t layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return index < windows.size() ? windows[index] : 0;
  }
};

class Decoder : public Body {
 public:
  Decoder(const DecoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const Sequence& input, const Context& context) const override;
  Embedding& words() const override { return *embedding_; }

 private:
  at::Tensor embed(const Sequence& input, const at::Tensor& positions,
                   const Context& context) const;
  AttentionInputs attention_inputs(const Sequence& input, const at::Tensor& positions,
                                   std::int64_t window, const Context& context) const;

  DecoderConfig config_;
  std::optional<RotaryEmbedding> rope_;
  std::shared_ptr<Embedding> embedding_, positions_;
  std::vector<std::shared_ptr<Block>> layers_;
  std::shared_ptr<Norm> norm_;
};

}  // namespace llmctl
