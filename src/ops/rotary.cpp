#include "ops/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sin.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/grain.h"
#include "ops/kernels/rotary.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor rotate_cpu(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                      float sign) {
  const at::Tensor input = x.contiguous(), output = at::empty_like(input);
  kernels::Rotation rotation;
  rotation.heads = x.size(2);
  rotation.half = x.size(3) / 2;
  rotation.period = cosines.numel() / rotation.half;
  rotation.sign = sign;
  rotation.cosines = cosines.const_data_ptr<float>();
  rotation.sines = sines.const_data_ptr<float>();
  const float* const in = input.const_data_ptr<float>();
  float* const out = output.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0) * x.size(1), row_grain(x.size(2) * x.size(3)),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::rotate(rotation, in, out, begin, end);
                   });
  return output;
}

class RotaryCpu : public torch::autograd::Function<RotaryCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& cosines, const at::Tensor& sines) {
    context->save_for_backward({cosines, sines});
    return rotate_cpu(x, cosines, sines, 1.0f);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {rotate_cpu(gradients[0], saved[0], saved[1], -1.0f), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> rotary_angles(const at::Tensor& positions,
                                                const at::Tensor& inverse_frequencies,
                                                double scale) {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(-1) * inverse_frequencies;
  at::Tensor cosines = at::cos(angles), sines = at::sin(angles);
  if (scale != 1.0) {
    cosines.mul_(scale);
    sines.mul_(scale);
  }
  return {cosines, sines};
}

at::Tensor rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
  const at::ScalarType compute = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor input = x.to(compute);
  if (x.is_cpu() && compute == at::kFloat && x.numel() > 0) {
    if (!c10::GradMode::is_enabled()) {
      return rotate_cpu(input, cosines.contiguous(), sines.contiguous(), 1.0f);
    }
    return RotaryCpu::apply(input, cosines.contiguous(), sines.contiguous());
  }
  const std::int64_t half = x.size(3) / 2;
  const at::Tensor c = cosines.to(compute).unsqueeze(-2), s = sines.to(compute).unsqueeze(-2);
  const at::Tensor a = input.narrow(3, 0, half), b = input.narrow(3, half, half);
  return at::cat({a * c - b * s, b * c + a * s}, 3);
}

}  // namespace llmctl
