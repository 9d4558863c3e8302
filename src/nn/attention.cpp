#include "nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "base/error.h"
#include "nn/dropout.h"
#include "ops/rotary.h"

namespace llmctl {
namespace {

at::Tensor additive(const at::Tensor& seen) {
  return at::zeros(seen.sizes(), seen.options().dtype(at::kFloat))
      .masked_fill_(seen.logical_not(), -std::numeric_limits<float>::infinity());
}

/// On the host: whether every row is one document with padding only behind it.
bool is_right_padded(const at::Tensor& documents) {
  const at::Tensor contiguous = documents.contiguous();
  const std::int64_t rows = contiguous.size(0), length = contiguous.size(1);
  const std::int64_t* row = contiguous.const_data_ptr<std::int64_t>();
  for (std::int64_t b = 0; b < rows; ++b, row += length) {
    for (std::int64_t t = 1; t < length; ++t) {
      if (row[t] != row[t - 1] && row[t] != -1) return false;
    }
  }
  return true;
}

/// Probabilities [B, H, T, S], in full: for those who look at them.
at::Tensor attention_map(const at::Tensor& q, const at::Tensor& k, double scale,
                         const AttentionMask& mask) {
  const std::int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = group > 1 ? at::repeat_interleave(k, group, 1) : k;  // [B, H, S, K]
  // [B, H, T, K] · [B, H, K, S] → [B, H, T, S]
  at::Tensor scores = at::matmul(q.to(at::kFloat), keys.to(at::kFloat).transpose(2, 3)) * scale;
  if (mask.bias.defined()) scores = scores + mask.bias;
  if (mask.causal) {
    scores =
        scores + additive(at::tril(at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool))));
  }
  return at::softmax(scores, -1);
}

}  // namespace

AttentionMask sequence_mask(const at::Tensor& ids, const at::Tensor& documents, bool causal,
                            std::int64_t window) {
  const std::int64_t length = ids.size(1);
  const bool windowed = window > 0 && window < length;
  // Behind a causal mask padding on the right is never seen by the tokens before it.
  const bool one_document =
      !documents.defined() || (causal && documents.is_cpu() && is_right_padded(documents));
  if (one_document && !windowed) return {causal, {}};
  if (one_document) {
    at::Tensor seen = at::ones({1, 1, length, length}, ids.options().dtype(at::kBool));
    if (causal) seen = at::tril(seen);
    return {false, additive(at::triu(seen, 1 - window))};
  }
  // Padding asks like everybody's: it sees all that is no padding, as in Hugging Face's models. A
  // row of nothing else sees itself, so that no softmax is empty.
  const at::Tensor real = documents.ge(0);  // [B, T]
  // Token t sees token s: [B, T, T].
  at::Tensor seen = documents.unsqueeze(2)
                        .eq(documents.unsqueeze(1))
                        .logical_or(real.logical_not().unsqueeze(2))
                        .logical_and(real.unsqueeze(1))
                        .logical_or(real.any(1).logical_not().view({-1, 1, 1}));  // [B, 1, 1]
  if (causal) seen = at::tril(seen);
  if (windowed) seen = at::triu(seen, 1 - window);
  return {false, additive(seen.unsqueeze(1))};  // [B, 1, T, T]
}

AttentionMask memory_mask(const Memory& memory) {
  if (!memory.documents.defined()) return {};
  const at::Tensor real = memory.documents.ge(0);  // [B, S]
  const at::Tensor seen = real.logical_or(real.any(1, /*keepdim=*/true).logical_not());
  return {false, additive(seen.unsqueeze(1).unsqueeze(1))};  // [B, 1, 1, S]
}

Attention::Attention(const AttentionConfig& config, const at::TensorOptions& options)
    : config_(config),
      scale_(config.scale.value_or(1 / std::sqrt(static_cast<double>(config.head_size)))) {
  const std::int64_t heads = config.heads * config.head_size;
  const std::int64_t kv_heads = config.kv_heads * config.head_size;
  const auto make = [&](const char* name, std::int64_t inputs, std::int64_t outputs, bool bias) {
    return register_module(name, std::make_shared<Linear>(inputs, outputs, bias, options));
  };
  query = make("query", config.hidden_size, heads, config.bias);
  key = make("key", config.hidden_size, kv_heads, config.bias);
  value = make("value", config.hidden_size, kv_heads, config.bias);
  output = make("output", heads, config.hidden_size, config.output_bias);
  if (config.head_norm_eps) {
    const auto norm = [&](const char* name) {
      return register_module(name, std::make_shared<Norm>(NormKind::kRms, config.head_size,
                                                          *config.head_norm_eps, options));
    };
    query_norm_ = norm("query_norm");
    key_norm_ = norm("key_norm");
  }
}

at::Tensor Attention::forward(const at::Tensor& x, const AttentionInputs& inputs,
                              std::int64_t layer, const Context& context) const {
  const std::vector<at::Tensor> projected =
      forward_each({query.get(), key.get(), value.get()}, x, context);
  at::Tensor q = split_heads(projected[0], config_.heads);     // [B, T, H, K]
  at::Tensor k = split_heads(projected[1], config_.kv_heads);  // [B, T, G, K]
  at::Tensor v = split_heads(projected[2], config_.kv_heads);  // [B, T, G, K]
  if (query_norm_) {
    q = query_norm_->forward(q, context.compute);
    k = key_norm_->forward(k, context.compute);
  }
  if (inputs.cosines.defined()) {
    q = rotary(q, inputs.cosines, inputs.sines);
    k = rotary(k, inputs.cosines, inputs.sines);
  }
  if (context.cache) {
    context.cache->store(layer, k.flatten(0, 1), v.flatten(0, 1));  // [1, N, G, K] → [N, G, K]
    return mix_cached(q, *context.cache, layer, inputs.cached, context);
  }
  const at::ScalarType type = attention_dtype(context.compute, x.device());
  q = q.to(type).transpose(1, 2);  // [B, H, T, K]
  k = k.to(type).transpose(1, 2);  // [B, G, T, K]
  v = v.to(type).transpose(1, 2);  // likewise
  return mix(q, k, v, inputs.mask, concat(context.tap_prefix, "attentions.", layer), context);
}

at::Tensor Attention::split_heads(const at::Tensor& projected, std::int64_t heads) const {
  // [B, T, H·K] → [B, T, H, K]
  return projected.view({projected.size(0), projected.size(1), heads, config_.head_size});
}

at::Tensor Attention::forward_memory(const at::Tensor& x, const AttentionMask& mask,
                                     std::int64_t layer, const Context& context) const {
  require(context.memory != nullptr, ErrorCode::kInternal, "no encoder's states to attend to");
  const at::Tensor q = split_heads(query->forward(x, context), config_.heads);  // [B, T, H, K]
  at::Tensor k, v;                                                              // [B, S, G, K]
  const auto project = [&] {
    Context of_memory = context;
    of_memory.adapters = context.memory->adapters;
    const std::vector<at::Tensor> projected =
        forward_each({key.get(), value.get()}, context.memory->states, of_memory);
    k = split_heads(projected[0], config_.kv_heads);
    v = split_heads(projected[1], config_.kv_heads);
  };
  if (KvCache* const cache = context.memory_cache) {
    if (cache->planned() > 0) {
      project();
      cache->store(layer, k.flatten(0, 1), v.flatten(0, 1));  // [1, S, G, K] → [S, G, K]
    }
    return mix_cached(q, *cache, layer, {}, context);
  }
  project();
  const at::ScalarType type = attention_dtype(context.compute, x.device());
  const auto turned = [&](const at::Tensor& heads) { return heads.to(type).transpose(1, 2); };
  return mix(turned(q), turned(k), turned(v), mask, concat("cross_attentions.", layer), context);
}

at::Tensor Attention::mix_cached(const at::Tensor& q, const KvCache& cache, std::int64_t layer,
                                 CacheAttention how, const Context& context) const {
  how.scale = scale_;
  const at::Tensor mixed = cache.attend(layer, q.flatten(0, 1), how);  // [N, H, K]
  return output->forward(mixed.view({1, mixed.size(0), -1}), context);
}

at::Tensor Attention::mix(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionMask& mask, const std::string& map_name,
                          const Context& context) const {
  if (context.tap && context.tap_attentions)
    (*context.tap)(map_name, attention_map(q, k, scale_, mask));
  const double drop = context.train ? config_.dropout : 0.0;
  at::Tensor mixed;  // [B, H, T, K]
  if ((mask.bias.defined() && mask.bias.requires_grad()) || (drop > 0 && q.is_cpu())) {
    // LibTorch's fused kernels give no gradient of a bias, and on the CPU have no dropout.
    const at::Tensor seen = dropout(attention_map(q, k, scale_, mask), config_.dropout, context);
    const std::int64_t group = config_.heads / config_.kv_heads;
    mixed =
        at::matmul(seen.to(v.scalar_type()), group > 1 ? at::repeat_interleave(v, group, 1) : v);
  } else {
    std::optional<at::Tensor> bias;
    if (mask.bias.defined()) bias = mask.bias.to(q.scalar_type());
    mixed = at::scaled_dot_product_attention(q, k, v, bias, drop, mask.causal, scale_,
                                             /*enable_gqa=*/config_.kv_heads != config_.heads);
  }
  const at::Tensor joined =  // [B, H, T, K] → [B, T, H·K]
      mixed.transpose(1, 2).reshape({q.size(0), q.size(2), config_.heads * config_.head_size});
  return output->forward(joined, context);
}

at::ScalarType attention_dtype(at::ScalarType compute, const at::Device& device) {
  return device.is_cpu() && !cpu_features().amx_bf16 ? at::kFloat : compute;
}

}  // namespace llmctl
