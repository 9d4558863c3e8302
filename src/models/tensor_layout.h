// Tensors of a model's file ↔ our parameters: names, transposed matrices, several in one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace llmctl {

/// A tensor of the file and the parameter that it is, or that is part of it:
/// "body.layer0.attention.query.weight" of the body, "head.weight" of the head.
struct TensorRule {
  std::string file_name, parameter;
  bool transposed = false;  ///< the file has [I, O] (GPT-2's Conv1D) where we have [O, I]
  /// The parameter is part `part` of `parts` equal ones of the file's rows (once transposed).
  std::int64_t part = 0, parts = 1;
  bool trained = true;  ///< false: a constant, no parameter

  /// What the parameter is called outside: the file's name, with ".PART" where that has several.
  std::string name() const;
};

/// The shape of the file's tensor, from the parameter's.
std::vector<std::int64_t> file_shape(const TensorRule& rule,
                                     const std::vector<std::int64_t>& parameter_shape);

/// A view of the file's tensor that has the parameter's shape.
at::Tensor parameter_of_file(const TensorRule& rule, const at::Tensor& stored);

/// The file's tensor of which rules[first] is the first part, from values that stand beside the
/// rules (parameters, gradients, …); parts of one tensor follow one another. Without gradient.
at::Tensor tensor_of_file(const std::vector<TensorRule>& rules,
                          const std::vector<at::Tensor>& values, std::size_t first);

}  // namespace llmctl
