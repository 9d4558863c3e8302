// Normalisation over the last axis.
#pragma once

#include <torch/nn/module.h>

#include <utility>

namespace llmctl {

/// LayerNorm (Ba et al., 2016): mean and variance, weight and bias. RMSNorm (Zhang and Sennrich,
/// 2019): root mean square, weight.
enum class NormKind { kLayer, kRms };

class Norm : public torch::nn::Module {
 public:
  Norm(NormKind kind, std::int64_t size, double eps, const at::TensorOptions& options);

  /// x [..., D] → [..., D] in `output`, computed in fp32.
  at::Tensor forward(const at::Tensor& x, at::ScalarType output) const;

  /// x + addend in fp32, and its norm in `output`: all [..., D].
  std::pair<at::Tensor, at::Tensor> add(const at::Tensor& x, const at::Tensor& addend,
                                        at::ScalarType output) const;

  at::Tensor weight, bias;  ///< bias only in a LayerNorm

 private:
  double eps_;
};

}  // namespace llmctl
