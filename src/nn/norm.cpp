#include "nn/norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>

#include "ops/rms_norm.h"

namespace llmctl {

Norm::Norm(NormKind kind, std::int64_t size, double eps, const at::TensorOptions& options)
    : kind_(kind), eps_(eps) {
  weight = register_parameter("weight", at::empty({size}, options));
  if (kind == NormKind::kLayer) bias = register_parameter("bias", at::empty({size}, options));
}

at::Tensor Norm::forward(const at::Tensor& x, at::ScalarType output) const {
  if (kind_ == NormKind::kRms) return rms_norm(x, weight, eps_, output);
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), bias.to(at::kFloat),
                        eps_)
      .to(output);
}

}  // namespace llmctl
