#include "models/block.h"

#include <ATen/TensorOperators.h>

#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "nn/dropout.h"
#include "nn/recompute.h"

namespace llmctl {

Block::Block(const BlockConfig& config, const at::TensorOptions& options) : config_(config) {
  const auto attention = [&](const char* name) {
    return register_module(name, std::make_shared<Attention>(config.attention, options));
  };
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<Norm>(config.norm, config.attention.hidden_size,
                                                        config.norm_eps, options));
  };
  attention_ = attention("attention");
  attention_norm_ = norm("attention_norm");
  if (config.cross_attention) {
    cross_attention_ = attention("cross_attention");
    cross_attention_norm_ = norm("cross_attention_norm");
  }
  feed_forward_ =
      register_module("feed_forward", std::make_shared<FeedForward>(config.feed_forward, options));
  feed_forward_norm_ = norm("feed_forward_norm");
}

at::Tensor Block::forward(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                          const Context& context) const {
  if (!context.train || !context.recompute) return compute(x, inputs, index, context);
  // What else has a gradient enters beside x: the encoder's states and learned biases of attention.
  // Something must ask for a gradient, lest parameters get none (behind a frozen embedding).
  std::vector<at::Tensor> entering{x.requires_grad() ? x : x.detach().set_requires_grad(true)};
  const bool learned_bias = inputs.mask.bias.defined() && inputs.mask.bias.requires_grad();
  if (cross_attention_) entering.push_back(context.memory->states);
  if (learned_bias) entering.push_back(inputs.mask.bias);
  const at::Tensor memory_documents = cross_attention_ ? context.memory->documents : at::Tensor();
  return recompute(
      [this, inputs, index, context, learned_bias,
       memory_documents](const std::vector<at::Tensor>& entered) {
        AttentionInputs own = inputs;
        Context here = context;
        Memory memory;
        if (cross_attention_) {
          memory = {entered[1], memory_documents};
          here.memory = &memory;
        }
        if (learned_bias) own.mask.bias = entered.back();
        return compute(entered[0], own, index, here);
      },
      entering);
}

at::Tensor Block::compute(const at::Tensor& x, const AttentionInputs& inputs, std::int64_t index,
                          const Context& context) const {
  seed_dropout(context, index, x.device());
  std::vector<std::pair<const Norm*, std::function<at::Tensor(const at::Tensor&)>>> parts;
  parts.emplace_back(attention_norm_.get(), [&](const at::Tensor& part) {
    return attention_->forward(part, inputs, index, context);
  });
  if (cross_attention_) {
    parts.emplace_back(cross_attention_norm_.get(), [&](const at::Tensor& part) {
      return cross_attention_->forward_memory(part, inputs.memory_mask, index, context);
    });
  }
  parts.emplace_back(feed_forward_norm_.get(),
                     [&](const at::Tensor& part) { return feed_forward_->forward(part, context); });
  const auto add = [&](const at::Tensor& part) { return dropout(part, config_.dropout, context); };
  if (!config_.norm_first) {
    at::Tensor y = x;
    for (const auto& [norm, part] : parts) y = norm->add(y, add(part(y)), at::kFloat).second;
    return y;
  }
  // What a part adds and the norm before the next one are one operation.
  at::Tensor y = x, normed = parts[0].first->forward(x, context.compute);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    std::tie(y, normed) = parts[i + 1].first->add(y, add(parts[i].second(normed)), context.compute);
  }
  return y + add(parts.back().second(normed));
}

}  // namespace llmctl
