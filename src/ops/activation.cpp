#include "ops/activation.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "base/error.h"
#include "ops/grain.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const std::vector<std::pair<std::string, Activation>>& table() {
  static const std::vector<std::pair<std::string, Activation>> names = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"relu", Activation::kRelu},
      {"quick_gelu", Activation::kQuickGelu},
      {"tanh", Activation::kTanh}};
  return names;
}

/// Calls kernel(offset, size) for the rows [.., N] of x. Row by row, since what is left behind the
/// last whole vector is computed by other instructions: a row's result then is the same beside any
/// other rows.
template <class Kernel>
void for_each_row(const at::Tensor& x, const Kernel& kernel) {
  const std::int64_t columns = x.size(-1);
  at::parallel_for(0, x.numel() / columns, row_grain(columns),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t row = begin; row < end; ++row)
                       kernel(row * columns, columns);
                   });
}

/// activation(x), times a factor where there is one: fp32 on the CPU in one pass.
at::Tensor activate_cpu(const at::Tensor& given, const std::optional<at::Tensor>& given_factor,
                        Activation activation) {
  const at::Tensor x = given.contiguous();
  const at::Tensor factor = given_factor ? given_factor->contiguous() : at::Tensor();
  const at::Tensor y = at::empty_like(x);
  const float* const in = x.const_data_ptr<float>();
  const float* const by = factor.defined() ? factor.const_data_ptr<float>() : nullptr;
  float* const out = y.mutable_data_ptr<float>();
  for_each_row(x, [&](std::int64_t at, std::int64_t size) {
    kernels::activation_forward(activation, in + at, by ? by + at : nullptr, out + at, size);
  });
  return y;
}

/// The same with its gradient, in one pass each way, keeping nothing but the inputs.
class ActivationCpu : public torch::autograd::Function<ActivationCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& factor, Activation activation) {
    context->save_for_backward({x.contiguous(), factor ? factor->contiguous() : at::Tensor()});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    return activate_cpu(x, factor, activation);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &factor = saved[1];
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    const at::Tensor gradient = gradients[0].contiguous();
    const at::Tensor x_gradient = at::empty_like(x);
    const at::Tensor factor_gradient = factor.defined() ? at::empty_like(factor) : at::Tensor();
    const float* const d = gradient.const_data_ptr<float>();
    const float* const in = x.const_data_ptr<float>();
    const float* const by = factor.defined() ? factor.const_data_ptr<float>() : nullptr;
    float* const dx = x_gradient.mutable_data_ptr<float>();
    float* const df = factor.defined() ? factor_gradient.mutable_data_ptr<float>() : nullptr;
    for_each_row(x, [&](std::int64_t at, std::int64_t size) {
      kernels::activation_backward(activation, d + at, in + at, by ? by + at : nullptr, dx + at,
                                   df ? df + at : nullptr, size);
    });
    return {x_gradient, factor_gradient, at::Tensor()};
  }
};

/// By LibTorch's own functions: any device, fp64, and the reference of the kernels' tests.
at::Tensor apply(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kQuickGelu:
      return x * at::sigmoid(x * 1.702);
    case Activation::kTanh:
      return at::tanh(x);
  }
  fail(ErrorCode::kInternal, "an activation without a function");
}

/// bf16 is computed in fp32: LibTorch's own bf16 forms round between their steps or are slow.
at::ScalarType wide(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor differentiable(const at::Tensor& x, const std::optional<at::Tensor>& factor,
                          Activation activation) {
  if (!c10::GradMode::is_enabled()) return activate_cpu(x, factor, activation);
  return ActivationCpu::apply(x, factor, activation);
}

bool has_activation_kernel(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && x.dim() > 0;
}

}  // namespace

std::optional<Activation> find_activation(const std::string& name) {
  for (const auto& [known, activation] : table()) {
    if (known == name) return activation;
  }
  return std::nullopt;
}

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto& entry : table()) result.push_back(entry.first);
    return result;
  }();
  return names;
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  const at::Tensor input = x.to(wide(x.scalar_type()));
  if (!has_activation_kernel(input)) return apply(activation, input).to(x.scalar_type());
  return differentiable(input, std::nullopt, activation).to(x.scalar_type());
}

at::Tensor gated_product(Activation activation, const at::Tensor& gate, const at::Tensor& up) {
  const at::ScalarType type = gate.scalar_type();
  const at::Tensor a = gate.to(wide(type)), b = up.to(wide(type));
  if (!has_activation_kernel(a)) return (apply(activation, a) * b).to(type);
  return differentiable(a, b, activation).to(type);
}

}  // namespace llmctl
