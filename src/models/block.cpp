#include "models/block.h"

#include <ATen/TensorOperators.h>

#include <string>
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

template <class Part>
at::Tensor Block::add(const at::Tensor& x, const Norm& norm, const Context& context,
                      const Part& part) const {
  if (config_.norm_first) {
    return x + dropout(part(norm.forward(x, context.compute)), config_.dropout, context);
  }
  return norm.forward(x + dropout(part(x), config_.dropout, context), at::kFloat);
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
  at::Tensor y = add(x, *attention_norm_, context, [&](const at::Tensor& part) {
    return attention_->forward(part, inputs, index, context);
  });
  if (cross_attention_) {
    y = add(y, *cross_attention_norm_, context, [&](const at::Tensor& part) {
      return cross_attention_->forward_memory(part, inputs.memory_mask, index, context);
    });
  }
  return add(y, *feed_forward_norm_, context,
             [&](const at::Tensor& part) { return feed_forward_->forward(part, context); });
}

}  // namespace llmctl
