// The feed-forward part of a Transformer block.
#pragma once

#include <torch/nn/module.h>

#include "nn/context.h"
#include "nn/linear.h"
#include "ops/activation.h"

namespace llmctl {

struct FeedForwardConfig {
  std::int64_t hidden_size = 0, intermediate_size = 0;
  bool gated = false;  ///< down(act(gate(x)) · up(x)) (Shazeer, 2020), else down(act(up(x)))
  bool bias = false;
  Activation activation = Activation::kGelu;
  double dropout = 0;  ///< of the inner values
};

class FeedForward : public torch::nn::Module {
 public:
  FeedForward(const FeedForwardConfig& config, const at::TensorOptions& options);

  /// x [..., D] → [..., D] in context.compute.
  at::Tensor forward(const at::Tensor& x, const Context& context) const;

  std::shared_ptr<Linear> gate, up, down;  ///< gate is null in a plain one

 private:
  FeedForwardConfig config_;
};

}  // namespace llmctl
