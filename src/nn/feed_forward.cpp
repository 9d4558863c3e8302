#include "nn/feed_forward.h"

#include "nn/dropout.h"

namespace llmctl {

FeedForward::FeedForward(const FeedForwardConfig& config, const at::TensorOptions& options)
    : config_(config) {
  const auto make = [&](const char* name, std::int64_t inputs, std::int64_t outputs) {
    return register_module(name, std::make_shared<Linear>(inputs, outputs, config.bias, options));
  };
  if (config.gated) gate = make("gate", config.hidden_size, config.intermediate_size);
  up = make("up", config.hidden_size, config.intermediate_size);
  down = make("down", config.intermediate_size, config.hidden_size);
}

at::Tensor FeedForward::forward(const at::Tensor& x, const Context& context) const {
  at::Tensor inner;
  if (config_.gated) {
    const std::vector<at::Tensor> both = forward_each({gate.get(), up.get()}, x, context);
    inner = gated_product(config_.activation, both[0], both[1]);
  } else {
    inner = activate(config_.activation, up->forward(x, context));
  }
  return down->forward(dropout(inner, config_.dropout, context), context);
}

}  // namespace llmctl
