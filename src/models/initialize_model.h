// The first values of a model's parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "models/adapter.h"

namespace llmctl {

/// True for the table of token embeddings.
bool is_embedding(const TensorRule& rule);

/// Fills what a rule stands for: biases 0, norms 1, matrices drawn as the plan says. Deterministic
/// in (seed, name).
void initialize_parameter(const TensorRule& rule, at::Tensor& parameter, const ModelPlan& plan,
                          std::uint64_t seed);

}  // namespace llmctl
