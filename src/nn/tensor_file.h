// Tensors from and to safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"

namespace llmctl {

at::ScalarType to_scalar_type(DType dtype);
DType to_dtype(at::ScalarType type);

/// A tensor over the file's own bytes, without a copy; `owner` is kept alive by it.
at::Tensor map_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner);

/// Writes named tensors (made contiguous on the CPU, one at a time) to a safetensors file.
void write_tensors(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                   const std::map<std::string, std::string>& metadata = {});

}  // namespace llmctl
