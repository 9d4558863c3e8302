#include "ops/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sin.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/simd.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Turns the heads of `tokens` tokens; `sign` -1 turns back. Angles repeat every `period` tokens.
LLMCTL_SIMD void rotate_tokens(const float* x, const float* cosines, const float* sines, float* y,
                               std::int64_t begin, std::int64_t end, std::int64_t period,
                               std::int64_t heads, std::int64_t half, float sign) {
  for (std::int64_t token = begin; token < end; ++token) {
    const float* const c = cosines + token % period * half;
    const float* const s = sines + token % period * half;
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t offset = (token * heads + head) * 2 * half;
      const float* const in = x + offset;
      float* const out = y + offset;
      for (std::int64_t i = 0; i < half; ++i) {
        const float a = in[i], b = in[half + i], turn = sign * s[i];
        out[i] = a * c[i] - b * turn;
        out[half + i] = b * c[i] + a * turn;
      }
    }
  }
}

at::Tensor rotate_cpu(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                      float sign) {
  const std::int64_t heads = x.size(2), half = x.size(3) / 2, tokens = x.size(0) * x.size(1);
  const std::int64_t period = cosines.numel() / half;
  const at::Tensor input = x.contiguous();
  at::Tensor output = at::empty_like(input);
  const float* const in = input.const_data_ptr<float>();
  const float* const c = cosines.const_data_ptr<float>();
  const float* const s = sines.const_data_ptr<float>();
  float* const out = output.mutable_data_ptr<float>();
  at::parallel_for(0, tokens, simd::row_grain(heads * half * 2),
                   [&](std::int64_t begin, std::int64_t end) {
                     rotate_tokens(in, c, s, out, begin, end, period, heads, half, sign);
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
    return RotaryCpu::apply(input, cosines.contiguous(), sines.contiguous());
  }
  const std::int64_t half = x.size(3) / 2;
  const at::Tensor c = cosines.to(compute).unsqueeze(-2), s = sines.to(compute).unsqueeze(-2);
  const at::Tensor a = input.narrow(3, 0, half), b = input.narrow(3, half, half);
  return at::cat({a * c - b * s, b * c + a * s}, 3);
}

}  // namespace llmctl
