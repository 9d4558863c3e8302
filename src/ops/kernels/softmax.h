// Softmax losses of fp32 logits, for the CPU's instruction set.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// For each row of logits [rows, columns]: losses[row] = -log softmax(logits)[label], and, with
/// `differentiate`, the logits replaced by its gradient, softmax - onehot(label).
void softmax_losses(float* logits, const std::int64_t* labels, float* losses, std::int64_t rows,
                    std::int64_t columns, bool differentiate);

}  // namespace llmctl::kernels
