#include "ops/linear.h"

#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>

#include "ops/gemm.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor cast(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.defined() ? tensor.to(type) : tensor;
}

/// No input of a Function: nothing flows back through them.
struct WeightCopies {
  std::vector<at::Tensor> tensors;
};

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  /// x [N, I]; weights as in linear_each(); the biases that there are (no input of a Function may
  /// be undefined), bias_of[i] being the one of weight i or -1.
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               at::TensorList weights, at::TensorList biases,
                               const std::vector<std::int64_t>& bias_of, at::ScalarType compute,
                               const WeightCopies& copies) {
    const at::Tensor rows = cast(x, compute);
    variable_list saved{rows}, outputs;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const at::Tensor weight =
          copies.tensors.empty() ? cast(weights[i], compute) : copies.tensors[i];
      const at::Tensor bias =
          bias_of[i] < 0 ? at::Tensor() : biases[static_cast<std::size_t>(bias_of[i])];
      outputs.push_back(gemm(rows, weight.t(), cast(bias, compute)));
      saved.push_back(weight);
    }
    context->save_for_backward(saved);
    context->saved_data["bias_of"] = bias_of;
    context->saved_data["x_type"] = x.scalar_type();
    context->saved_data["weight_type"] = weights[0].scalar_type();
    return outputs;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto x_type = context->saved_data["x_type"].toScalarType();
    const auto weight_type = context->saved_data["weight_type"].toScalarType();
    const std::vector<std::int64_t> bias_of = context->saved_data["bias_of"].toIntVector();
    const at::Tensor& rows = saved[0];
    const std::size_t count = gradients.size();
    const auto biases = static_cast<std::size_t>(
        std::count_if(bias_of.begin(), bias_of.end(), [](std::int64_t i) { return i >= 0; }));
    variable_list result(4 + count + biases);
    at::Tensor x_gradient;
    for (std::size_t i = 0; i < count; ++i) {
      if (!gradients[i].defined()) continue;
      const at::Tensor gradient = gradients[i].contiguous();
      const at::Tensor& weight = saved[1 + i];
      if (context->needs_input_grad(0)) {
        if (x_gradient.defined()) {
          gemm_add(x_gradient, gradient, weight);
        } else {
          x_gradient = gemm(gradient, weight);
        }
      }
      if (context->needs_input_grad(1 + i)) {
        result[1 + i] = cast(gemm(gradient.t(), rows), weight_type);
      }
      if (bias_of[i] < 0) continue;
      const std::size_t bias = 1 + count + static_cast<std::size_t>(bias_of[i]);
      if (context->needs_input_grad(bias)) {
        result[bias] = gradient.sum(0, /*keepdim=*/false, weight_type);
      }
    }
    result[0] = cast(x_gradient, x_type);
    return result;
  }
};

class LogitsFunction : public torch::autograd::Function<LogitsFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                            const at::Tensor& weight, at::ScalarType compute) {
    context->save_for_backward({rows, weight});
    context->saved_data["compute"] = compute;
    return gemm_exact(rows, weight, compute);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto compute = context->saved_data["compute"].toScalarType();
    const at::Tensor gradient = gradients[0].to(compute).contiguous();
    variable_list result(3);
    if (context->needs_input_grad(0)) {
      result[0] = gemm(gradient, saved[1].to(compute)).to(saved[0].scalar_type());
    }
    if (context->needs_input_grad(1)) {
      result[1] = gemm(gradient.t(), saved[0].to(compute)).to(saved[1].scalar_type());
    }
    return result;
  }
};

}  // namespace

at::Tensor linear_logits(const at::Tensor& rows, const at::Tensor& weight, at::ScalarType compute) {
  return LogitsFunction::apply(rows, weight, compute);
}

std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases, at::ScalarType compute,
                                    const std::vector<at::Tensor>& copies) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});  // [B, T, D] → [B·T, D]
  std::vector<at::Tensor> given;
  std::vector<std::int64_t> bias_of;
  for (const at::Tensor& bias : biases) {
    bias_of.push_back(bias.defined() ? static_cast<std::int64_t>(given.size()) : -1);
    if (bias.defined()) given.push_back(bias);
  }
  std::vector<at::Tensor> outputs = LinearFunction::apply(
      rows, at::TensorList(weights), at::TensorList(given), bias_of, compute, WeightCopies{copies});
  std::vector<std::int64_t> shape = x.sizes().vec();
  for (auto& output : outputs) {
    shape.back() = output.size(1);
    output = output.view(shape);  // [B·T, N] → [B, T, N]
  }
  return outputs;
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  at::ScalarType compute) {
  return linear_each(x, {weight}, {bias}, compute)[0];
}

}  // namespace llmctl
