// First values of parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace llmctl {

/// Fills a tensor on the CPU with draws from the normal distribution of mean 0, a function of
/// (seed, name) and the element's index alone: equal on any number of threads, and whatever other
/// tensors a model has.
void fill_normal(at::Tensor& tensor, double deviation, std::uint64_t seed, const std::string& name);

}  // namespace llmctl
