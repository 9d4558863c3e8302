// Multi-head attention. B rows, T tokens, S visible tokens, D model, H heads, G key/value heads, K
// head size.
#pragma once

#include <torch/nn/module.h>

#include "nn/context.h"
#include "nn/kv_cache.h"
#include "nn/linear.h"

namespace llmctl {

/// Which tokens each token sees; made once per forward and shared by the layers. Every token sees
/// itself at least (padding sees padding), so that no row of a softmax is empty.
struct AttentionMask {
  bool causal = false;  ///< token t sees tokens 0 … t, with no tensor
  at::Tensor bias;  ///< [B or 1, 1, T, S] fp32: 0 where seen, -inf elsewhere; undefined: all seen
};

/// For whole sequences. `documents` [B, T] as in Sequence, or undefined: tokens see their own
/// document (padding all documents of its row), and with `causal` nothing later.
AttentionMask sequence_mask(const at::Tensor& documents, bool causal);

/// For new tokens behind what a cache holds.
AttentionMask cache_mask(const KvCache& cache, std::int64_t new_tokens, const at::Device& device);

/// What all layers of one forward share.
struct AttentionInputs {
  AttentionMask mask;
  at::Tensor cosines, sines;  ///< rotary angles [T, K/2] or [B, T, K/2]; undefined without
};

struct AttentionConfig {
  std::int64_t hidden_size = 0, heads = 0, kv_heads = 0, head_size = 0;
  bool bias = false;         ///< of the query, key and value maps
  bool output_bias = false;  ///< of the output map
  double dropout = 0;        ///< of the attention probabilities
};

/// Multi-head attention as in Vaswani et al., 2017 ("Attention Is All You Need", section 3.2): each
/// head computes softmax(Q·Kᵀ / √d_k)·V from its own projections Q = x·W_Q, K = x·W_K, V = x·W_V,
/// and the heads, concatenated, are projected by W_O. The heads' W_Q stand one below the other in
/// `query.weight` [H·K, D], and W_K, W_V likewise. With G < H (grouped-query attention, Ainslie et
/// al., 2023) H/G neighbouring heads share one W_K and W_V.
class Attention : public torch::nn::Module {
 public:
  Attention(const AttentionConfig& config, const at::TensorOptions& options);

  /// x [B, T, D] → [B, T, D] in context.compute. `layer` names the slot of the cache and the tap.
  at::Tensor forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t layer,
                     const Context& context) const;

  std::shared_ptr<Linear> query, key, value, output;

 private:
  AttentionConfig config_;
};

/// Dtype of attention's own products (QKᵀ and PV) and of the cache: `compute` on GPUs and on
/// processors with AMX; elsewhere LibTorch's bf16 kernel is far slower than the fp32 one.
at::ScalarType attention_dtype(at::ScalarType compute, const at::Device& device);

}  // namespace llmctl
