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
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cpu.h"
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
at::Tensor attention_map(const at::Tensor& q, const at::Tensor& k, const AttentionMask& mask) {
  const std::int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = group > 1 ? at::repeat_interleave(k, group, 1) : k;
  at::Tensor scores = at::matmul(q.to(at::kFloat), keys.to(at::kFloat).transpose(2, 3)) /
                      std::sqrt(static_cast<double>(q.size(3)));
  if (mask.bias.defined()) scores = scores + mask.bias;
  if (mask.causal) {
    scores =
        scores + additive(at::tril(at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool))));
  }
  return at::softmax(scores, -1);
}

}  // namespace

AttentionMask sequence_mask(const at::Tensor& documents, bool causal) {
  if (!documents.defined()) return {causal, {}};
  // Behind a causal mask padding on the right is never seen by the tokens before it.
  if (causal && documents.is_cpu() && is_right_padded(documents)) return {true, {}};
  // Padding asks like everybody's: it sees all that is no padding, as in Hugging Face's models. A
  // row of nothing else sees itself, so that no softmax is empty.
  const at::Tensor real = documents.ge(0);
  at::Tensor seen = documents.unsqueeze(2)
                        .eq(documents.unsqueeze(1))
                        .logical_or(real.logical_not().unsqueeze(2))
                        .logical_and(real.unsqueeze(1))
                        .logical_or(real.any(1).logical_not().view({-1, 1, 1}));
  if (causal) seen = at::tril(seen);
  return {false, additive(seen.unsqueeze(1))};
}

AttentionMask cache_mask(const KvCache& cache, std::int64_t new_tokens, const at::Device& device) {
  const auto& lengths = cache.lengths();
  const bool equal = std::all_of(lengths.begin(), lengths.end(),
                                 [&](std::int64_t length) { return length == lengths.front(); });
  if (equal && !lengths.empty() && lengths.front() == 0) return {true, {}};
  if (equal && new_tokens == 1) return {false, {}};
  return {false, additive(cache.mask().to(device))};
}

Attention::Attention(const AttentionConfig& config, const at::TensorOptions& options)
    : config_(config) {
  const std::int64_t heads = config.heads * config.head_size;
  const std::int64_t kv_heads = config.kv_heads * config.head_size;
  const auto make = [&](const char* name, std::int64_t inputs, std::int64_t outputs, bool bias) {
    return register_module(name, std::make_shared<Linear>(inputs, outputs, bias, options));
  };
  query = make("query", config.hidden_size, heads, config.bias);
  key = make("key", config.hidden_size, kv_heads, config.bias);
  value = make("value", config.hidden_size, kv_heads, config.bias);
  output = make("output", heads, config.hidden_size, config.output_bias);
}

at::Tensor Attention::forward(const at::Tensor& x, const AttentionInputs& inputs,
                              std::int64_t layer, const Context& context) const {
  const std::int64_t rows = x.size(0), length = x.size(1);
  const std::vector<at::Tensor> projected =
      forward_each({query.get(), key.get(), value.get()}, x, context);
  at::Tensor q = projected[0].view({rows, length, config_.heads, config_.head_size});
  at::Tensor k = projected[1].view({rows, length, config_.kv_heads, config_.head_size});
  at::Tensor v = projected[2].view({rows, length, config_.kv_heads, config_.head_size});
  if (inputs.cosines.defined()) {
    q = rotary(q, inputs.cosines, inputs.sines);
    k = rotary(k, inputs.cosines, inputs.sines);
  }
  const at::ScalarType type = attention_dtype(context.compute, x.device());
  q = q.to(type).transpose(1, 2);
  k = k.to(type).transpose(1, 2);
  v = v.to(type).transpose(1, 2);
  if (context.cache) std::tie(k, v) = context.cache->append(layer, k, v);
  if (context.tap) {
    (*context.tap)("attentions." + std::to_string(layer), attention_map(q, k, inputs.mask));
  }
  std::optional<at::Tensor> bias;
  if (inputs.mask.bias.defined()) bias = inputs.mask.bias.to(type);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      q, k, v, bias, context.train ? config_.dropout : 0.0, inputs.mask.causal, std::nullopt,
      /*enable_gqa=*/config_.kv_heads != config_.heads);
  return output->forward(
      mixed.transpose(1, 2).reshape({rows, length, config_.heads * config_.head_size}), context);
}

at::ScalarType attention_dtype(at::ScalarType compute, const at::Device& device) {
  return device.is_cpu() && !cpu_features().amx_bf16 ? at::kFloat : compute;
}

}  // namespace llmctl
