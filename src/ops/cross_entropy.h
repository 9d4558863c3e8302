// Cross-entropy of a linear layer's outputs without ever holding all of them.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/weight.h"

namespace llmctl {

/// How a cross-entropy is computed.
struct CrossEntropyOptions {
  // Implicit: most callers say the dtype alone.
  CrossEntropyOptions(at::ScalarType products, double smoothing = 0)
      : compute(products), label_smoothing(smoothing) {}

  at::ScalarType compute;  ///< of the gradients' products
  /// The share of a label that is spread evenly over all V outcomes (Szegedy et al., 2016), as
  /// torch's cross_entropy, transformers' LabelSmoother and Marian define it; fairseq spreads it
  /// over the V - 1 others.
  double label_smoothing;
};

/// Sum over n of -log softmax(rows[n] · weightᵀ + bias)[labels[n]], a scalar with gradient. rows
/// [N, D], weight [V, D], bias [V] or undefined, labels [N] int64 in [0, V). The logits are
/// those of linear_logits(), softmax and sum in fp32, the gradients' products run in `compute`.
/// Logits exist only for a chunk of rows at a time; gradients are made in the same pass, so that
/// the backward pass only scales them. `per_row`, when given, receives the [N] losses (fp32, no
/// gradient).
at::Tensor linear_cross_entropy(const at::Tensor& rows, const at::Tensor& weight,
                                const at::Tensor& bias, const at::Tensor& labels,
                                const CrossEntropyOptions& options, at::Tensor* per_row = nullptr);

/// As linear_cross_entropy(), without gradient, of the logits that multiply() gives.
at::Tensor stored_cross_entropy(const at::Tensor& rows, const Weight& weight,
                                const at::Tensor& bias, const at::Tensor& labels,
                                at::Tensor* per_row = nullptr);

}  // namespace llmctl
