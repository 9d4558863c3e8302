// One layer of a Transformer, in the forms that encoders and decoders have it.
#pragma once

#include <torch/nn/module.h>

#include <memory>

#include "nn/attention.h"
#include "nn/feed_forward.h"
#include "nn/norm.h"

namespace llmctl {

struct BlockConfig {
  AttentionConfig attention;
  FeedForwardConfig feed_forward;
  NormKind norm = NormKind::kLayer;
  double norm_eps = 1e-12;
  bool norm_first = false;       ///< y = x + f(norm(x)), else y = norm(x + f(x))
  bool cross_attention = false;  ///< between the two: attention to an encoder's states
  double dropout = 0;            ///< of what each part adds
};

/// Attention, attention to the encoder where asked for, feed-forward; each with its norm, its
/// dropout and the residual connection (Vaswani et al., 2017; norms first: Radford et al., 2019).
class Block : public torch::nn::Module {
 public:
  Block(const BlockConfig& config, const at::TensorOptions& options);

  /// x [B, T, D] → [B, T, D] fp32. `index` names the layer for dropout, cache and taps.
  at::Tensor forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                     const Context& context) const;

 private:
  at::Tensor compute(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                     const Context& context) const;
  /// x ← norm(x + f(x)) for attention, cross-attention and feed-forward f (Vaswani et al., 2017).
  at::Tensor norm_last(at::Tensor x, const AttentionInputs& inputs, std::int64_t index,
                       const Context& context) const;
  /// x ← x + f(norm(x)) for the same (Radford et al., 2019).
  at::Tensor norm_first(at::Tensor x, const AttentionInputs& inputs, std::int64_t index,
                        const Context& context) const;

  BlockConfig config_;
  std::shared_ptr<Attention> attention_, cross_attention_;
  std::shared_ptr<Norm> attention_norm_, cross_attention_norm_, feed_forward_norm_;
  std::shared_ptr<FeedForward> feed_forward_;
};

}  // namespace llmctl
