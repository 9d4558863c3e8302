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

std::vector<std::pair<std::string, at::Tensor>> tensors_of_file(
    const std::vector<TensorRule>& rules, const std::vector<at::Tensor>& values) {
  const c10::AutoGradMode no_grad(false);
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (std::size_t i = 0; i < rules.size(); i += static_cast<std::size_t>(rules[i].parts)) {
    const TensorRule& rule = rules[i];
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i);
    at::Tensor tensor =
        rule.parts == 1 ? *first : at::cat(std::vector<at::Tensor>(first, first + rule.parts), 0);
    tensors.emplace_back(rule.file_name, rule.transposed ? tensor.t() : tensor);
  }
  return tensors;
}

}  // namespace llmctl
