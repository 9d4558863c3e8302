// A table of vectors.
#pragma once

#include "nn/matrix.h"

namespace llmctl {

/// Owns weight [V, D] in one form (nn/matrix.h).
class Embedding : public Matrix {
 public:
  /// Row `padding` (-1: none) gets no gradient from look-ups, as in Hugging Face's models.
  Embedding(std::int64_t rows, std::int64_t size, std::int64_t padding,
            const at::TensorOptions& options);

  /// ids [..., ] int64 → [..., D] fp32.
  at::Tensor forward(const at::Tensor& ids) const;

 private:
  std::int64_t padding_;
};

}  // namespace llmctl
