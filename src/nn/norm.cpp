#include "nn/norm.h"

#include <ATen/ops/empty.h>

#include "ops/norm.h"

namespace llmctl {

Norm::Norm(NormKind kind, std::int64_t size, double eps, const at::TensorOptions& options)
    : eps_(eps) {
  weight = register_parameter("weight", at::empty({size}, options));
  if (kind == NormKind::kLayer) bias = register_parameter("bias", at::empty({size}, options));
}

at::Tensor Norm::forward(const at::Tensor& x, at::ScalarType output) const {
  return norm(x, {weight, bias, eps_}, output);
}

std::pair<at::Tensor, at::Tensor> Norm::add(const at::Tensor& x, const at::Tensor& addend,
                                            at::ScalarType output) const {
  return add_norm(x, addend, {weight, bias, eps_}, output);
}

}  // namespace llmctl
