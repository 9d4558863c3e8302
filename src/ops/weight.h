// A linear map's matrix in the form in which it is kept, and its products without gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ops/kernels/matmul.h"

namespace llmctl {

using WeightForm = kernels::Form;

const char* weight_form_name(WeightForm form);  ///< "fp32", "bf16", "int8" or "int4"

/// A matrix [O, I]. Products with it round the inputs, too: in the bf16 form to bf16 on processors
/// that multiply bf16, in int8 and int4 to eight bits, with one scale for each 128 inputs. Against
/// the product in fp32 of normally distributed numbers the error is, relative to the outputs'
/// deviation, at most 0.004 (bf16), 0.015 (int8) and 0.15 (int4).
struct Weight {
  WeightForm form = WeightForm::kFp32;
  /// fp32 or bf16 [O, I]; int8 [O, I]; of int4 uint8 [O, I/2], each group of inputs in the low and
  /// then in the high four bits of its bytes (kernels::packed_position()), as value + 8.
  at::Tensor values;
  /// int8: fp32 [O]; int4: bf16 [O, I/group]: what the integers are multiplied by.
  at::Tensor scales;
  std::int64_t group = 0;  ///< inputs that share a scale in int4: 32 or 64

  std::int64_t outputs() const { return values.size(0); }
  std::int64_t inputs() const;
  bool is_quantized() const { return form == WeightForm::kInt8 || form == WeightForm::kInt4; }
};

/// The form that a dense tensor [O, I] is: fp32 or bf16. It is not copied.
Weight dense_weight(const at::Tensor& values);

/// What values and scales (undefined for dense values) are by their dtypes and shapes.
Weight stored_weight(const at::Tensor& values, const at::Tensor& scales);

/// Integers for a dense matrix on the CPU, rounded to nearest: in int8 [-127, 127] by the row's
/// largest magnitude, in int4 [-8, 7] by the scale that makes a group's squared error least among
/// some near its largest magnitude's. kData for values that are not finite, kInternal where int4's
/// group does not divide the inputs.
Weight quantize_weight(const at::Tensor& dense, WeightForm form, std::int64_t group = 32);

/// The numbers that the form stands for: fp32 [O, I].
at::Tensor dequantize(const Weight& weight);

/// Its rows of these numbers, ids [...] int64 → fp32 [..., I]: an embedding.
at::Tensor weight_rows(const Weight& weight, const at::Tensor& ids);

/// x [..., I] · weightᵀ + bias → [..., O] fp32; x of any float dtype, bias [O] or undefined. On the
/// CPU the weight is read as it is kept, and a row's results do not depend on the rows beside it
/// (where LibTorch is not told to be deterministic, many rows may take a library's faster
/// product). Elsewhere it is made dense first. No gradient.
at::Tensor multiply(const at::Tensor& x, const Weight& weight, const at::Tensor& bias = {});

/// Several products of one x, as multiply() each. `biases` has an entry for each weight.
std::vector<at::Tensor> multiply_each(const at::Tensor& x, const std::vector<Weight>& weights,
                                      const std::vector<at::Tensor>& biases);

}  // namespace llmctl
