// What layers with a matrix have in common: the form that it is kept in.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>

#include "nn/context.h"
#include "ops/weight.h"

namespace llmctl {

class Matrix : public torch::nn::Module {
 public:
  /// fp32, bf16 or another float [O, I]; of a quantised matrix its integers, as Weight::values.
  at::Tensor weight;
  at::Tensor scales;  ///< Weight::scales of a quantised matrix, else undefined

  bool is_quantized() const { return scales.defined(); }
  /// The matrix in its form.
  Weight form() const { return stored_weight(weight, scales); }
  /// Replaces the matrix. Quantised ones, and with `frozen` all, have no gradient.
  void set_form(const Weight& form, bool frozen);

  /// Whether products with x go to ops/weight.h: nothing is trained, and the matrix is one that the
  /// CPU reads as it is kept, or is quantised. kInternal for a quantised matrix in training.
  bool multiplies_stored(const at::Tensor& x, const Context& context) const;

  /// The weight in `compute`. A copy in another dtype is kept until the weight changes: in
  /// training it is made once for each step of the optimiser, however many micro-batches and
  /// recomputations it has.
  at::Tensor in_dtype(at::ScalarType compute) const;

 private:
  struct Copy {
    at::Tensor values;
    const void* source = nullptr;
    std::int64_t version = 0;
  };
  mutable Copy copy_;
};

}  // namespace llmctl
