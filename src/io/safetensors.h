// safetensors: named tensors in one file (https://github.com/huggingface/safetensors). The reader
// distrusts every byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"

namespace llmctl {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };
std::size_t dtype_size(DType dtype);
const char* dtype_name(DType dtype);  ///< "F32", …

struct TensorInfo {
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes from the start of the data
  std::int64_t elements() const;
};

/// A memory-mapped file, checked whole on opening: header length and syntax, names, dtypes, shapes
/// without overflow, offsets without hole or overlap up to the exact end. kMissing, kData (naming
/// file and tensor).
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const TensorInfo& info(const std::string& name) const;  ///< kData when absent
  /// Row-major little-endian values, valid while this object lives. Other programs' files need not
  /// align them: copy with memcpy.
  std::span<const std::byte> bytes(const std::string& name) const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::size_t data_start_ = 0;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Files of a model directory: model.safetensors, or else the shards that
/// model.safetensors.index.json names: plain base names, whose symbolic links may lead only to the
/// blobs of a Hugging Face cache. Every mapped tensor must be where the index says, and no tensor
/// may be in two shards. kMissing when there is neither, kData for everything else.
class SafetensorsSet {
 public:
  /// A .safetensors file, an .index.json, or a directory of one model.
  explicit SafetensorsSet(const std::filesystem::path& path);
  const std::map<std::string, const SafetensorsFile*>& tensors() const { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const TensorInfo& info(const std::string& name) const;
  std::span<const std::byte> bytes(const std::string& name) const;

 private:
  const SafetensorsFile& file_of(const std::string& name) const;

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const SafetensorsFile*> tensors_;
};

/// A tensor to be written.
struct TensorSpec {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
};

/// The bytes of tensor `index`, contiguous, row-major, little-endian; asked for in order, they need
/// to stay valid only until the next call. So tensors can be converted or copied one at a time.
using TensorFetch = std::function<const void*(std::size_t index)>;

/// Writes one file atomically: tensors in the order given, header padded to 8 bytes, metadata
/// {"format": "pt"} plus `metadata`. kCannotCreate, kIo.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorSpec>& tensors,
                       const TensorFetch& fetch,
                       const std::map<std::string, std::string>& metadata = {});

/// A tensor whose bytes are at hand during the whole call.
struct TensorBytes {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  const void* data;
};

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace llmctl
