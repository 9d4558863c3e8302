// The tensors of a model directory, whatever files it keeps them in.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "config/json.h"

namespace llmctl {

/// A model's config.json: of a directory, or what a GGUF file says in its place. kMissing, kData.
JsonDocument read_model_config(const std::filesystem::path& model);

/// Memory-mapped: model.safetensors, its shards by model.safetensors.index.json, or else
/// pytorch_model.bin and its shards; or a GGUF file, whose quantised tensors are fp32 here. A
/// directory with other files only (TensorFlow, …) is refused with what to get instead. Names are
/// without what torch.compile, DistributedDataParallel and their like put into them ("_orig_mod.",
/// "module."). kMissing, kData.
class WeightFiles {
 public:
  explicit WeightFiles(const std::filesystem::path& model);
  /// Views of the files' bytes, which they keep mapped; not to be written to.
  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Puts a tensor in the place of the file's, or beside the others.
  void replace(const std::string& name, at::Tensor tensor);
  /// The dtype of a tensor in the directory's own files.
  at::ScalarType stored_dtype(const std::string& name) const;

 private:
  std::map<std::string, at::ScalarType> replaced_;
  std::map<std::string, at::Tensor> tensors_;
};

/// Tensors under the names that they have without wrappers: "_orig_mod." and its like wherever they
/// stand, "module." before all names. kData, at `file`, for two tensors of one name.
std::map<std::string, at::Tensor> without_wrappers(std::map<std::string, at::Tensor> tensors,
                                                   const std::filesystem::path& file);

/// Whether two tensors hold the same numbers, whatever their dtypes.
bool same_values(const at::Tensor& a, const at::Tensor& b);

/// SHA-256 over the names, dtypes and shapes of a directory's tensors and the beginning of each
/// one's values: tells trained weights from others without reading them all. kMissing, kData.
std::string weights_fingerprint(const std::filesystem::path& directory);

/// Refuses a directory that holds other formats only: what it is and what to get instead.
void refuse_other_formats(const std::filesystem::path& directory);

}  // namespace llmctl
