#include "nn/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "nn/adapters.h"
#include "nn/dropout.h"
#include "ops/linear.h"

namespace llmctl {

namespace {

/// By the products that the layer itself takes, so that a row does not depend on the rows beside it
/// where the layer's do not.
at::Tensor through(const LowRank& maps, const Linear& layer, const at::Tensor& x,
                   const Context& context) {
  const bool stored = layer.multiplies_stored(x, context);
  const auto product = [&](const at::Tensor& rows, const at::Tensor& map) {
    return stored ? multiply(rows, dense_weight(map)) : linear(rows, map, {}, context.compute);
  };
  return product(product(dropout(x, maps.dropout, context), maps.a), maps.b) * maps.scale;
}

/// What a layer's low-rank maps add to y.
at::Tensor add_low_rank(const Linear& layer, at::Tensor y, const at::Tensor& x,
                        const Context& context) {
  if (layer.low_rank) y = y + through(*layer.low_rank, layer, x, context);
  if (layer.adapters.empty() || !context.adapters) return y;
  for (const AdapterUse& use : *context.adapters) {
    if (use.adapter >= layer.adapters.size() || !layer.adapters[use.adapter]) continue;
    const LowRank& maps = *layer.adapters[use.adapter];
    if (use.tokens.defined()) {
      const at::Tensor own = through(maps, layer, x.index_select(-2, use.tokens), context);
      y = y.index_add(-2, use.tokens, (own * use.scale).to(y.scalar_type()));
    } else {
      y = y + through(maps, layer, x, context) * use.scale;
    }
  }
  return y;
}

}  // namespace

Linear::Linear(std::int64_t inputs, std::int64_t outputs, bool with_bias,
               const at::TensorOptions& options) {
  weight = register_parameter("weight", at::empty({outputs, inputs}, options));
  if (with_bias) bias = register_parameter("bias", at::empty({outputs}, options));
}

at::Tensor Linear::forward(const at::Tensor& x, const Context& context) const {
  return forward_each({this}, x, context)[0];
}

std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                     const Context& context) {
  std::vector<at::Tensor> biases, outputs;
  bool stored = true;
  for (const Linear* layer : layers) {
    biases.push_back(layer->bias);
    stored = layer->multiplies_stored(x, context) && stored;
  }
  if (stored) {
    std::vector<Weight> weights;
    for (const Linear* layer : layers) weights.push_back(layer->form());
    outputs = multiply_each(x, weights, biases);
  } else {
    std::vector<at::Tensor> weights, copies;
    for (const Linear* layer : layers) {
      weights.push_back(layer->weight);
      copies.push_back(layer->in_dtype(context.compute));
    }
    outputs = linear_each(x, weights, biases, context.compute, copies);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    outputs[i] = add_low_rank(*layers[i], outputs[i], x, context);
  }
  return outputs;
}

}  // namespace llmctl
