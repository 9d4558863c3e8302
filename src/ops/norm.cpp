#include "ops/norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "ops/grain.h"
#include "ops/kernels/norm.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

/// What one pass over the rows gives.
struct Normed {
  at::Tensor s;  ///< x + addend, or x itself
  at::Tensor y;
  at::Tensor means, scales;  ///< [rows]
};

Normed norm_cpu(const at::Tensor& given, const std::optional<at::Tensor>& given_addend,
                const at::Tensor& given_weight, const std::optional<at::Tensor>& given_bias,
                double eps) {
  const at::Tensor x = given.contiguous(), weight = given_weight.contiguous();
  const at::Tensor addend = given_addend ? given_addend->contiguous() : at::Tensor();
  const at::Tensor bias = given_bias ? given_bias->contiguous() : at::Tensor();
  const std::int64_t columns = x.size(-1), rows = x.numel() / columns;
  const at::Tensor sum = addend.defined() ? at::empty_like(x) : at::Tensor();
  const at::Tensor y = at::empty_like(x), scales = at::empty({rows}, x.options());
  const at::Tensor means = bias.defined() ? at::empty({rows}, x.options()) : at::Tensor();
  kernels::NormForward all;
  all.columns = columns;
  all.centred = bias.defined();
  all.eps = static_cast<float>(eps);
  all.weight = weight.const_data_ptr<float>();
  all.bias = data_or_null(bias);
  const float* const in = x.const_data_ptr<float>();
  const float* const added = data_or_null(addend);
  float* const summed = sum.defined() ? sum.mutable_data_ptr<float>() : nullptr;
  float* const out = y.mutable_data_ptr<float>();
  float* const mean = means.defined() ? means.mutable_data_ptr<float>() : nullptr;
  float* const scale = scales.mutable_data_ptr<float>();
  at::parallel_for(0, rows, row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    kernels::NormForward part = all;
    const std::int64_t offset = begin * columns;
    part.rows = end - begin;
    part.x = in + offset;
    part.addend = added ? added + offset : nullptr;
    part.sum = summed ? summed + offset : nullptr;
    part.y = out + offset;
    part.means = mean ? mean + begin : nullptr;
    part.scales = scale + begin;
    kernels::norm_forward(part);
  });
  return {sum.defined() ? sum : x, y, means, scales};
}

/// fp32 on the CPU, one pass over the rows each way.
class NormCpu : public torch::autograd::Function<NormCpu> {
 public:
  /// {norm} of x, or {sum, norm} with an addend.
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const std::optional<at::Tensor>& addend, const at::Tensor& weight,
                               const std::optional<at::Tensor>& bias, double eps) {
    const Normed normed = norm_cpu(x, addend, weight, bias, eps);
    context->save_for_backward({normed.s, weight.contiguous(), normed.scales, normed.means});
    context->saved_data["added"] = addend.has_value();
    return addend ? variable_list{normed.s, normed.y} : variable_list{normed.y};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &s = saved[0], &weight = saved[1], &scales = saved[2], &means = saved[3];
    const bool added = context->saved_data["added"].toBool();
    const at::Tensor y_gradient = gradients.back().defined() ? gradients.back().contiguous()
                                                             : at::zeros(s.sizes(), s.options());
    const at::Tensor sum_gradient =
        added && gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
    const std::int64_t columns = s.size(-1), rows = s.numel() / columns;
    const at::Tensor s_gradient = at::empty_like(s);
    // Fixed parts, so that the sums do not depend on which thread finishes first.
    const std::int64_t parts = std::min<std::int64_t>(at::get_num_threads(), rows);
    const at::Tensor weights = at::zeros({parts, columns}, s.options());
    const at::Tensor biases = means.defined() ? at::zeros({parts, columns}, s.options()) : means;
    kernels::NormBackward all;
    all.columns = columns;
    all.centred = means.defined();
    all.weight = weight.const_data_ptr<float>();
    const float* const dy = y_gradient.const_data_ptr<float>();
    const float* const more = data_or_null(sum_gradient);
    const float* const in = s.const_data_ptr<float>();
    const float* const mean = data_or_null(means);
    const float* const scale = scales.const_data_ptr<float>();
    float* const ds = s_gradient.mutable_data_ptr<float>();
    float* const dw = weights.mutable_data_ptr<float>();
    float* const db = biases.defined() ? biases.mutable_data_ptr<float>() : nullptr;
    at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        kernels::NormBackward part = all;
        const std::int64_t begin = rows * i / parts, offset = begin * columns;
        part.rows = rows * (i + 1) / parts - begin;
        part.y_gradient = dy + offset;
        part.sum_gradient = more ? more + offset : nullptr;
        part.s = in + offset;
        part.means = mean ? mean + begin : nullptr;
        part.scales = scale + begin;
        part.s_gradient = ds + offset;
        part.weight_gradient = dw + i * columns;
        part.bias_gradient = db ? db + i * columns : nullptr;
        kernels::norm_backward(part);
      }
    });
    return {s_gradient, added ? s_gradient : at::Tensor(), weights.sum(0),
            biases.defined() ? biases.sum(0) : at::Tensor(), at::Tensor()};
  }
};

at::ScalarType exact_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

/// Parameters in the dtype of the computation.
NormParameters cast(const NormParameters& parameters, at::ScalarType type) {
  return {parameters.weight.to(type),
          parameters.bias.defined() ? parameters.bias.to(type) : parameters.bias, parameters.eps};
}

bool has_norm_kernel(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
}

/// By LibTorch's own functions: any device, fp64, and the reference of the kernels' tests.
at::Tensor composite_norm(const at::Tensor& x, const NormParameters& parameters) {
  const std::int64_t size = x.size(-1);
  if (!parameters.bias.defined()) return at::rms_norm(x, {size}, parameters.weight, parameters.eps);
  return at::layer_norm(x, {size}, parameters.weight, parameters.bias, parameters.eps);
}

}  // namespace

at::Tensor norm(const at::Tensor& x, const NormParameters& parameters, at::ScalarType output) {
  const at::Tensor input = x.to(exact_type(x));
  const NormParameters exact = cast(parameters, input.scalar_type());
  if (!has_norm_kernel(input)) return composite_norm(input, exact).to(output);
  if (!c10::GradMode::is_enabled()) {
    return norm_cpu(input, std::nullopt, exact.weight, optional(exact.bias), exact.eps)
        .y.to(output);
  }
  return NormCpu::apply(input, std::nullopt, exact.weight, optional(exact.bias), exact.eps)[0].to(
      output);
}

std::pair<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const at::Tensor& addend,
                                           const NormParameters& parameters,
                                           at::ScalarType output) {
  const at::Tensor input = x.to(exact_type(x)), added = addend.to(exact_type(x));
  const NormParameters exact = cast(parameters, input.scalar_type());
  if (!has_norm_kernel(input)) {
    const at::Tensor sum = input + added;
    return {sum, composite_norm(sum, exact).to(output)};
  }
  if (!c10::GradMode::is_enabled()) {
    const Normed normed =
        norm_cpu(input, optional(added), exact.weight, optional(exact.bias), exact.eps);
    return {normed.s, normed.y.to(output)};
  }
  const variable_list outputs =
      NormCpu::apply(input, optional(added), exact.weight, optional(exact.bias), exact.eps);
  return {outputs[0], outputs[1].to(output)};
}

}  // namespace llmctl
