#include "models/tensor_layout.h"

#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "base/error.h"

namespace llmctl {

std::string TensorRule::name() const {
  return parts == 1 ? file_name : concat(file_name, ".", part);
}

std::vector<std::int64_t> file_shape(const TensorRule& rule,
                                     const std::vector<std::int64_t>& parameter_shape) {
  std::vector<std::int64_t> shape = parameter_shape;
  shape.front() *= rule.parts;
  if (rule.transposed) std::reverse(shape.begin(), shape.end());
  return shape;
}

at::Tensor parameter_of_file(const TensorRule& rule, const at::Tensor& stored) {
  const at::Tensor ours = rule.transposed ? stored.t() : stored;
  if (rule.parts == 1) return ours;
  const std::int64_t rows = ours.size(0) / rule.parts;
  return ours.narrow(0, rule.part * rows, rows);
}

at::Tensor tensor_of_file(const std::vector<TensorRule>& rules,
                          const std::vector<at::Tensor>& values, std::size_t first) {
  const c10::AutoGradMode no_grad(false);
  const TensorRule& rule = rules[first];
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  const at::Tensor tensor =
      rule.parts == 1 ? *begin : at::cat(std::vector<at::Tensor>(begin, begin + rule.parts), 0);
  return rule.transposed ? tensor.t() : tensor;
}

}  // namespace llmctl
