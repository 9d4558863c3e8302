#include "ops/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "ops/grain.h"
#include "ops/kernels/dropout.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::uint64_t draw_key() {
  at::CPUGeneratorImpl* const generator = at::get_generator_or_default<at::CPUGeneratorImpl>(
      std::nullopt, at::detail::getDefaultCPUGenerator());
  const std::lock_guard<std::mutex> lock(generator->mutex_);
  return generator->random64();
}

at::Tensor drop_cpu(const at::Tensor& given, std::uint64_t key, double probability) {
  const at::Tensor x = given.contiguous(), y = at::empty_like(x);
  kernels::Drop drop;
  drop.key = key;
  drop.threshold =
      static_cast<std::int32_t>(std::min(std::nearbyint(probability * 2147483648.0), 2147483647.0));
  drop.scale = static_cast<float>(1 / (1 - probability));
  const float* const in = x.const_data_ptr<float>();
  float* const out = y.mutable_data_ptr<float>();
  const std::int64_t blocks = (x.numel() + kernels::kDropBlock - 1) / kernels::kDropBlock;
  at::parallel_for(0, blocks, row_grain(kernels::kDropBlock),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::drop(drop, in, out, begin * kernels::kDropBlock,
                                   std::min(end * kernels::kDropBlock, x.numel()));
                   });
  return y;
}

class DropCpu : public torch::autograd::Function<DropCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t key,
                            double probability) {
    context->saved_data["key"] = key;
    context->saved_data["probability"] = probability;
    return drop_cpu(x, static_cast<std::uint64_t>(key), probability);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto key = static_cast<std::uint64_t>(context->saved_data["key"].toInt());
    return {drop_cpu(gradients[0], key, context->saved_data["probability"].toDouble()),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor drop_elements(const at::Tensor& x, double probability) {
  const bool narrow = x.scalar_type() == at::kBFloat16;
  // A probability of 1 leaves nothing to scale; LibTorch's form knows.
  if (!x.is_cpu() || (x.scalar_type() != at::kFloat && !narrow) || probability >= 1) {
    return at::dropout(x, probability, /*train=*/true);
  }
  const auto key = static_cast<std::int64_t>(draw_key());
  const at::Tensor y = DropCpu::apply(narrow ? x.to(at::kFloat) : x, key, probability);
  return narrow ? y.to(x.scalar_type()) : y;
}

}  // namespace llmctl
