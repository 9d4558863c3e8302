// Files of torch.save: a dictionary of tensors, read without running anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "io/zip_archive.h"

namespace llmctl {

/// A tensor over the bytes of its storage; several may share one. Element (i, j, …) lies at offset
/// + i·strides[0] + j·strides[1] + …, all counted in elements and within the storage.
struct StridedTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape, strides;
  std::int64_t offset = 0;
  std::span<const std::byte> storage;

  const std::byte* data() const {
    return storage.data() + static_cast<std::size_t>(offset) * dtype_size(dtype);
  }
};

/// A file of torch.save (the ZIP form, torch 1.6 and later) that holds a dictionary of names and
/// tensors, memory-mapped. Its pickle is read by a machine that knows dictionaries, tuples, lists,
/// numbers, texts and the few functions that rebuild a tensor; whatever else it asks for is refused
/// by name, and nothing is ever called. kMissing, kData.
class TorchFile {
 public:
  explicit TorchFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return archive_.path(); }
  const std::map<std::string, StridedTensor>& tensors() const { return tensors_; }

 private:
  ZipArchive archive_;
  std::map<std::string, StridedTensor> tensors_;
};

}  // namespace llmctl
