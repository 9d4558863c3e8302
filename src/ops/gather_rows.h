// Rows picked out of a tensor, before a head that needs only some of them.
#pragma once

#include <ATen/core/Tensor.h>

namespace llmctl {

/// x [N, D], rows [M] int64, ascending and in [0, N) → [M, D]. The gradient of x is written in one
/// pass, zeros included. Throws where a row is out of range or not in order (on the CPU, before any
/// is read).
at::Tensor gather_rows(const at::Tensor& x, const at::Tensor& rows);

}  // namespace llmctl
