#include "models/block.h"

#include <ATen/TensorOperators.h>

#include <tuple>
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
  return config_.norm_first ? norm_first(x, inputs, index, context)
                            : norm_last(x, inputs, index, context);
}

at::Tensor Block::norm_last(at::Tensor x, const AttentionInputs& inputs, std::int64_t index,
                            const Context& context) const {
  const auto drop = [&](const at::Tensor& part) { return dropout(part, config_.dropout, context); };
  // norm.add(x, y) gives x + y and norm(x + y) in one pass.
  const auto add = [&](const Norm& norm, const at::Tensor& part) {
    return norm.add(x, drop(part), at::kFloat).second;
  };
  x = add(*attention_norm_, attention_->forward(x, inputs, index, context));
  if (cross_attention_) {
    x = add(*cross_attention_norm_,
            cross_attention_->forward_memory(x, inputs.memory_mask, index, context));
  }
  return add(*feed_forward_norm_, feed_forward_->forward(x, context));
}

at::Tensor Block::norm_first(at::Tensor x, const AttentionInputs& inputs, std::int64_t index,
                             const Context& context) const {
  const auto drop = [&](const at::Tensor& part) { return dropout(part, config_.dropout, context); };
  // x + part(n), and the norm before the next part, in one pass.
  at::Tensor n = attention_norm_->forward(x, context.compute);
  const auto add = [&](const Norm& next, const at::Tensor& part) {
    std::tie(x, n) = next.add(x, drop(part), context.compute);
  };
  const Norm& behind_attention = cross_attention_ ? *cross_attention_norm_ : *feed_forward_norm_;
  add(behind_attention, attention_->forward(n, inputs, index, context));
  if (cross_attention_) {
    add(*feed_forward_norm_,
        cross_attention_->forward_memory(n, inputs.memory_mask, index, context));
  }
  return x + drop(feed_forward_->forward(n, context));
}

}  // namespace llmctl
