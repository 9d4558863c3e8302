#include "nn/linear.h"

#include <ATen/ops/empty.h>

#include "ops/linear.h"

namespace llmctl {

Linear::Linear(std::int64_t inputs, std::int64_t outputs, bool with_bias,
               const at::TensorOptions& options) {
  weight = register_parameter("weight", at::empty({outputs, inputs}, options));
  if (with_bias) bias = register_parameter("bias", at::empty({outputs}, options));
}

at::Tensor Linear::forward(const at::Tensor& x, const Context& context) const {
  return linear(x, weight, bias, context.compute);
}

std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                     const Context& context) {
  std::vector<at::Tensor> weights, biases;
  for (const Linear* layer : layers) {
    weights.push_back(layer->weight);
    biases.push_back(layer->bias);
  }
  return linear_each(x, weights, biases, context.compute);
}

}  // namespace llmctl
