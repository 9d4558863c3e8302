#include "ops/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "base/error.h"
#include "ops/simd.h"

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

LLMCTL_SIMD void swiglu_forward(const float* gate, const float* up, float* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = gate[i] / (1.0f + simd::exp(-gate[i])) * up[i];
  }
}

LLMCTL_SIMD void swiglu_backward(const float* gradient, const float* gate, const float* up,
                                 float* gate_gradient, float* up_gradient, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float sigmoid = 1.0f / (1.0f + simd::exp(-gate[i]));
    const float silu = gate[i] * sigmoid;
    up_gradient[i] = gradient[i] * silu;
    gate_gradient[i] = gradient[i] * up[i] * (sigmoid + silu * (1.0f - sigmoid));
  }
}

constexpr std::int64_t kGrain = 8192;  // elements worth a task

/// silu(gate) · up in fp32 on the CPU, one pass each way, keeping nothing but the inputs.
class SwigluCpu : public torch::autograd::Function<SwigluCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate,
                            const at::Tensor& up) {
    const at::Tensor a = gate.contiguous(), b = up.contiguous();
    at::Tensor output = at::empty_like(a);
    const float* const g = a.const_data_ptr<float>();
    const float* const u = b.const_data_ptr<float>();
    float* const out = output.mutable_data_ptr<float>();
    at::parallel_for(0, a.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      swiglu_forward(g + begin, u + begin, out + begin, end - begin);
    });
    context->save_for_backward({a, b});
    return output;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gradient = gradients[0].contiguous();
    at::Tensor gate_gradient = at::empty_like(saved[0]), up_gradient = at::empty_like(saved[1]);
    const float* const d = gradient.const_data_ptr<float>();
    const float* const g = saved[0].const_data_ptr<float>();
    const float* const u = saved[1].const_data_ptr<float>();
    float* const dg = gate_gradient.mutable_data_ptr<float>();
    float* const du = up_gradient.mutable_data_ptr<float>();
    at::parallel_for(0, gradient.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      swiglu_backward(d + begin, g + begin, u + begin, dg + begin, du + begin, end - begin);
    });
    return {gate_gradient, up_gradient};
  }
};

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
  return apply(activation, x.to(wide(x.scalar_type()))).to(x.scalar_type());
}

at::Tensor gated_product(Activation activation, const at::Tensor& gate, const at::Tensor& up) {
  const at::ScalarType type = gate.scalar_type(), compute = wide(type);
  const at::Tensor a = gate.to(compute), b = up.to(compute);
  if (activation == Activation::kSilu && a.is_cpu() && compute == at::kFloat) {
    return SwigluCpu::apply(a, b).to(type);
  }
  return (apply(activation, a) * b).to(type);
}

}  // namespace llmctl
