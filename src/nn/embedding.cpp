#include "nn/embedding.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

namespace llmctl {

Embedding::Embedding(std::int64_t rows, std::int64_t size, std::int64_t padding,
                     const at::TensorOptions& options)
    : padding_(padding) {
  weight = register_parameter("weight", at::empty({rows, size}, options));
}

at::Tensor Embedding::forward(const at::Tensor& ids) const {
  if (is_quantized()) return weight_rows(form(), ids);
  return at::embedding(weight, ids, padding_).to(at::kFloat);
}

}  // namespace llmctl
