// Normalisation of fp32 rows and its gradients, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// y = (s - mean)·scale·weight + bias with s = x + addend and scale = 1/√(variance + eps); with
/// `centred` false (RMSNorm) the mean is 0 and there is no bias.
struct NormForward {
  std::int64_t rows = 0, columns = 0;
  bool centred = false;
  float eps = 0;
  const float *x = nullptr, *addend = nullptr;     ///< [rows, columns]; addend may be null
  const float *weight = nullptr, *bias = nullptr;  ///< [columns]; bias null unless centred
  float* sum = nullptr;                            ///< [rows, columns]: s; null without addend
  float* y = nullptr;                              ///< [rows, columns]
  float *means = nullptr, *scales = nullptr;       ///< [rows]; means null unless centred
};

/// From the gradients of y and (where not null) of s: that of s, which is x's and the addend's, and
/// what the rows add to those of weight and bias.
struct NormBackward {
  std::int64_t rows = 0, columns = 0;
  bool centred = false;
  const float *y_gradient = nullptr, *sum_gradient = nullptr;  ///< [rows, columns]
  const float *s = nullptr, *weight = nullptr;
  const float *means = nullptr, *scales = nullptr;
  float* s_gradient = nullptr;                                 ///< [rows, columns]
  float *weight_gradient = nullptr, *bias_gradient = nullptr;  ///< [columns], added to
};

void norm_forward(const NormForward& args);
void norm_backward(const NormBackward& args);

}  // namespace llmctl::kernels
