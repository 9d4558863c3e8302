// Softmax losses of fp32 logits, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// Rows of logits [rows, columns] with the label of each.
struct LabelledLogits {
  float* logits;
  const std::int64_t* labels;
  std::int64_t rows, columns;
};

/// For each row losses[row] = -log softmax(logits)[label], and, with `differentiate`, the logits
/// replaced by its gradient, softmax - onehot(label). With `smoothing` e the label has a share of
/// 1 - e + e / columns and each other column e / columns.
void softmax_losses(const LabelledLogits& rows, float* losses, bool differentiate, float smoothing);

}  // namespace llmctl::kernels
