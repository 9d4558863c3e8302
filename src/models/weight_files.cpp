#include "models/weight_files.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "io/safetensors.h"
#include "io/shard_index.h"
#include "io/torch_file.h"
#include "models/tensor_file.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

void add_torch_file(const fs::path& path, std::map<std::string, at::Tensor>& tensors) {
  const auto file = std::make_shared<const TorchFile>(path);
  for (const auto& [name, tensor] : file->tensors()) {
    const bool fresh = tensors.emplace(name, map_tensor(tensor, file)).second;
    require(fresh, ErrorCode::kData, path, ": tensor '", name, "' is also in another file");
  }
}

}  // namespace

void refuse_other_formats(const fs::path& path) {
  std::error_code ignored;
  if (path.extension() == ".gguf") {
    fail(ErrorCode::kData, path,
         ": a GGUF file of llama.cpp, whose weights are converted and mostly quantised; get the "
         "model's original Hugging Face directory (config.json, *.safetensors) instead");
  }
  if (!fs::is_directory(path, ignored)) return;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const fs::path& file = entry.path();
    if (file.extension() == ".gguf") return refuse_other_formats(file);
    for (const char* other : {"tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot"}) {
      require(
          file.filename() != other, ErrorCode::kData, file,
          ": weights of another framework, and no model.safetensors or pytorch_model.bin beside "
          "them; get one of these from the model's page");
    }
  }
}

WeightFiles::WeightFiles(const fs::path& directory) {
  const auto has = [&](const char* name) { return fs::exists(directory / name); };
  if (has("model.safetensors") || has("model.safetensors.index.json")) {
    const auto files = std::make_shared<const SafetensorsSet>(directory);
    for (const auto& [name, file] : files->tensors()) {
      tensors_.emplace(name, map_tensor(files->info(name), files->bytes(name), files));
    }
  } else if (has("pytorch_model.bin")) {
    add_torch_file(directory / "pytorch_model.bin", tensors_);
  } else if (const fs::path index = directory / "pytorch_model.bin.index.json"; fs::exists(index)) {
    const auto places = read_shard_index(index, ".bin");
    std::map<fs::path, std::map<std::string, at::Tensor>> shards;
    for (const auto& [name, file] : places) {
      auto& shard = shards[file];
      if (shard.empty()) add_torch_file(file, shard);
      const auto found = shard.find(name);
      require(found != shard.end(), ErrorCode::kData, index, ": weight_map entry '", name,
              "': no such tensor in ", file.filename().string());
      tensors_.insert(*found);
    }
  } else {
    refuse_other_formats(directory);
    fail(ErrorCode::kMissing, directory.string(),
         ": no weights: neither model.safetensors, nor pytorch_model.bin, nor the index of either");
  }
}

std::string weights_fingerprint(const fs::path& directory) {
  constexpr std::int64_t kValues = 1024;
  Sha256 hash;
  const WeightFiles files(directory);
  for (const auto& [name, tensor] : files.tensors()) {
    hash.update(concat(name, " ", at::toString(tensor.scalar_type()), " ", tensor.sizes(), "\n"));
    const at::Tensor values =
        tensor.reshape({-1}).narrow(0, 0, std::min(kValues, tensor.numel())).contiguous();
    hash.update(values.const_data_ptr(), values.nbytes());
  }
  return hash.hex();
}

}  // namespace llmctl
