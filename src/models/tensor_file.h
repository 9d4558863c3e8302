// Tensors from and to safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"
#include "io/torch_file.h"

namespace llmctl {

at::ScalarType to_scalar_type(DType dtype);
DType to_dtype(at::ScalarType type);
/// "[2, 3]", for messages.
std::string shape_text(at::IntArrayRef shape);

/// A tensor over the file's own bytes, without a copy; `owner` is kept alive by it.
at::Tensor map_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner);
at::Tensor map_tensor(const StridedTensor& tensor, std::shared_ptr<const void> owner);

/// Tensors to be written, made when their turn comes: only one is held at a time.
struct TensorSource {
  std::string name;
  at::ScalarType dtype;  ///< in the file
  std::vector<std::int64_t> shape;
  std::function<at::Tensor()> make;  ///< of that shape, on any device, any strides
};

std::uint64_t bytes_of(const TensorSource& tensor);

/// Writes model.safetensors into `directory`; or, where the tensors take more than
/// `max_shard_bytes`, model-00001-of-0000N.safetensors, … and model.safetensors.index.json, each
/// file at most that large unless it holds one tensor. Files of an earlier model are removed. kData
/// for finite values that a tensor's dtype cannot hold.
void write_model_files(const std::filesystem::path& directory,
                       const std::vector<TensorSource>& tensors, std::uint64_t max_shard_bytes);

/// What write_model_files() would refuse; writes nothing.
void check_model_files(const std::vector<TensorSource>& tensors);

/// Writes named tensors (made contiguous on the CPU, one at a time) to a safetensors file.
void write_tensors(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                   const std::map<std::string, std::string>& metadata = {});

}  // namespace llmctl
