#include "ops/rms_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "ops/simd.h"

namespace llmctl {
namespace {

using simd::kLanes;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Sum of squares of n numbers.
inline __attribute__((always_inline)) float square_sum(const float* x, std::int64_t n) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) lanes[j] += x[i + j] * x[i + j];
  }
  for (; i < n; ++i) lanes[0] += x[i] * x[i];
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

/// Rows of y = x · r · weight with r = 1 / sqrt(mean(x²) + eps), which is kept in `scales`.
LLMCTL_SIMD void forward_rows(const float* x, const float* weight, float* y, float* scales,
                              std::int64_t rows, std::int64_t columns, float eps) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const float scale =
        1.0f / std::sqrt(square_sum(x, columns) / static_cast<float>(columns) + eps);
    scales[row] = scale;
    for (std::int64_t i = 0; i < columns; ++i) y[i] = x[i] * scale * weight[i];
  }
}

/// Gradients of forward_rows: dx = r · (g·w - x · r² · mean(g·w·x)); weight_gradient += g · x · r.
LLMCTL_SIMD void backward_rows(const float* gradient, const float* x, const float* weight,
                               const float* scales, float* x_gradient, float* weight_gradient,
                               std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows;
       ++row, gradient += columns, x += columns, x_gradient += columns) {
    float lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) {
      for (std::int64_t j = 0; j < kLanes; ++j) {
        lanes[j] += gradient[i + j] * weight[i + j] * x[i + j];
      }
    }
    for (; i < columns; ++i) lanes[0] += gradient[i] * weight[i] * x[i];
    float sum = 0;
    for (float lane : lanes) sum += lane;
    const float scale = scales[row];
    const float factor = sum * scale * scale / static_cast<float>(columns);
    for (i = 0; i < columns; ++i) {
      weight_gradient[i] += gradient[i] * x[i] * scale;
      x_gradient[i] = scale * (gradient[i] * weight[i] - x[i] * factor);
    }
  }
}

/// fp32 on the CPU in one pass each way.
class RmsNormCpu : public torch::autograd::Function<RmsNormCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    const at::Tensor input = x.contiguous();
    const std::int64_t columns = input.size(-1), rows = input.numel() / columns;
    at::Tensor output = at::empty_like(input), scales = at::empty({rows}, input.options());
    const float* const in = input.const_data_ptr<float>();
    const float* const factors = weight.const_data_ptr<float>();
    float* const out = output.mutable_data_ptr<float>();
    float* const kept = scales.mutable_data_ptr<float>();
    at::parallel_for(0, rows, simd::row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
      forward_rows(in + begin * columns, factors, out + begin * columns, kept + begin, end - begin,
                   columns, static_cast<float>(eps));
    });
    context->save_for_backward({input, weight, scales});
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &scales = saved[2];
    const at::Tensor gradient = gradients[0].contiguous();
    const std::int64_t columns = x.size(-1), rows = x.numel() / columns;
    at::Tensor x_gradient = at::empty_like(x);
    // Fixed parts, so that the sum does not depend on which thread finishes first.
    const std::int64_t parts = std::min<std::int64_t>(at::get_num_threads(), rows);
    at::Tensor partial = at::zeros({parts, columns}, x.options());
    const float* const g = gradient.const_data_ptr<float>();
    const float* const in = x.const_data_ptr<float>();
    const float* const factors = weight.const_data_ptr<float>();
    const float* const kept = scales.const_data_ptr<float>();
    float* const dx = x_gradient.mutable_data_ptr<float>();
    float* const dw = partial.mutable_data_ptr<float>();
    at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t part = first; part < last; ++part) {
        const std::int64_t begin = rows * part / parts, end = rows * (part + 1) / parts;
        backward_rows(g + begin * columns, in + begin * columns, factors, kept + begin,
                      dx + begin * columns, dw + part * columns, end - begin, columns);
      }
    });
    return {x_gradient, partial.sum(0), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    at::ScalarType output) {
  const at::ScalarType compute = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor input = x.to(compute), factors = weight.to(compute);
  if (x.is_cpu() && compute == at::kFloat && x.numel() > 0) {
    return RmsNormCpu::apply(input, factors, eps).to(output);
  }
  const at::Tensor scale = at::rsqrt(at::mean(input * input, {-1}, /*keepdim=*/true) + eps);
  return (input * scale * factors).to(output);
}

}  // namespace llmctl
