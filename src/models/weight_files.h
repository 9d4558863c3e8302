// The tensors of a model directory, whatever files it keeps them in.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace llmctl {

/// Memory-mapped: model.safetensors, its shards by model.safetensors.index.json, or else
/// pytorch_model.bin and its shards. A directory with other files only (GGUF, TensorFlow, …) is
/// refused with what to get instead. kMissing, kData.
class WeightFiles {
 public:
  explicit WeightFiles(const std::filesystem::path& directory);
  /// Views of the files' bytes, which they keep mapped; not to be written to.
  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

/// SHA-256 over the names, dtypes and shapes of a directory's tensors and the beginning of each
/// one's values: tells trained weights from others without reading them all. kMissing, kData.
std::string weights_fingerprint(const std::filesystem::path& directory);

/// Refuses a GGUF file, or a directory that holds nothing else: what it is and what to get instead.
void refuse_other_formats(const std::filesystem::path& path);

}  // namespace llmctl
