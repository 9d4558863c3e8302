// Dropout (Srivastava et al., 2014) over whole tensors.
#pragma once

#include <ATen/core/Tensor.h>

namespace llmctl {

/// x with each element set to zero with the probability and the others divided by 1 - probability;
/// the same shape and type. Draws come from LibTorch's generator of the device. On the CPU one key
/// is drawn for the whole tensor and element i is a function of (key, i) alone (Philox4x32-10,
/// Salmon et al., SC 2011), whatever the number of threads and the instruction set; the gradient
/// draws again instead of keeping a mask.
at::Tensor drop_elements(const at::Tensor& x, double probability);

}  // namespace llmctl
