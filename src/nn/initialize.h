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

/// Fills a table of positions [P, D] with the sinusoids of Vaswani et al., 2017:
/// columns 2i and 2i+1 are `amplitude` times the sine and cosine of position / 10000^(2i/D).
void fill_sinusoids(at::Tensor& table, double amplitude);

/// The same with all sines in the first half of the columns and the cosines in the second, of
/// amplitude 1, as Marian lays them out.
void fill_half_sinusoids(at::Tensor& table);

}  // namespace llmctl
