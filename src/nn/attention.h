// Multi-head attention. B rows, T tokens, S visible tokens, D model, H heads, G key/value heads, K
// head size.
#pragma once

#include <torch/nn/module.h>

#include <optional>
#include <string>

#include "nn/context.h"
#include "nn/kv_cache.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace llmctl {

/// Which tokens each token sees; made once per forward and shared by the layers. Every token sees
/// itself at least (padding sees padding), so that no row of a softmax is empty.
struct AttentionMask {
  bool causal = false;  ///< token t sees tokens 0 … t, with no tensor
  /// [B or 1, 1 or H, T, S] fp32, added to the scores: 0, or what positions add, where seen, -inf
  /// elsewhere; undefined: all seen.
  at::Tensor bias;
};

/// For whole sequences of ids [B, T]. `documents` [B, T] as in Sequence, or undefined: tokens see
/// their own document (padding all documents of its row), and with `causal` nothing later. With a
/// `window` W > 0 a token sees the last W tokens, itself included (Beltagy et al., 2020).
AttentionMask sequence_mask(const at::Tensor& ids, const at::Tensor& documents, bool causal,
                            std::int64_t window = 0);

/// For attention to an encoder's states: all that is no padding is seen, and in a row of nothing
/// else everything.
AttentionMask memory_mask(const Memory& memory);

/// What all layers of one forward share.
struct AttentionInputs {
  AttentionMask mask;
  AttentionMask memory_mask;  ///< of attention to an encoder's states
  at::Tensor cosines, sines;  ///< rotary angles [T, K/2] or [B, T, K/2]; undefined without
  CacheAttention cached;      ///< instead of the masks where there is a cache
};

struct AttentionConfig {
  std::int64_t hidden_size = 0, heads = 0, kv_heads = 0, head_size = 0;
  bool bias = false;         ///< of the query, key and value maps
  bool output_bias = false;  ///< of the output map
  double dropout = 0;        ///< of the attention probabilities
  /// RMSNorm of each head's query and key before the rotation (Qwen3), with this epsilon.
  std::optional<double> head_norm_eps;
  /// What QKᵀ is multiplied by; 1/√K by default.
  std::optional<double> scale;
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
  /// With a cache x is [1, N, D], the tokens of its forward pass.
  at::Tensor forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t layer,
                     const Context& context) const;

  /// Keys and values from context.memory. With context.memory_cache they come from there, once
  /// those of the states [1, S, D] that it expects, if any, are stored.
  at::Tensor forward_memory(const at::Tensor& x, const AttentionMask& mask, std::int64_t layer,
                            const Context& context) const;

  std::shared_ptr<Linear> query, key, value, output;

 private:
  at::Tensor split_heads(const at::Tensor& projected, std::int64_t heads) const;
  /// q [1, N, H, K] over what the cache holds of each token's row → [1, N, D].
  at::Tensor mix_cached(const at::Tensor& q, const KvCache& cache, std::int64_t layer,
                        CacheAttention how, const Context& context) const;
  /// q [B, H, T, K], k and v [B, G, S, K] → [B, T, D].
  at::Tensor mix(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const AttentionMask& mask, const std::string& map_name,
                 const Context& context) const;

  AttentionConfig config_;
  double scale_;
  std::shared_ptr<Norm> query_norm_, key_norm_;
};

/// Dtype of attention's own products (QKᵀ and PV): `compute` on GPUs and on processors with AMX;
/// elsewhere LibTorch's bf16 kernel is far slower than the fp32 one.
at::ScalarType attention_dtype(at::ScalarType compute, const at::Device& device);

}  // namespace llmctl
