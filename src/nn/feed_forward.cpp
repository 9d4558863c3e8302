#include "nn/feed_forward.h"

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
  if (!config_.gated) {
    return down->forward(activate(config_.activation, up->forward(x, context)), context);
  }
  const std::vector<at::Tensor> inner = forward_each({gate.get(), up.get()}, x, context);
  return down->forward(gated_product(config_.activation, inner[0], inner[1]), context);
}

}  // namespace llmctl
