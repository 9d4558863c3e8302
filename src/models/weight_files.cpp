#include "models/weight_files.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "io/safetensors.h"
#include "io/shard_index.h"
#include "io/torch_file.h"
#include "models/gguf_file.h"
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

/// Names of TensorFlow and Flax differ, and their matrices lie transposed.
void refuse_other_frameworks(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format == file.metadata().end()) return;
  require(
      format->second != "tf" && format->second != "flax", ErrorCode::kData, file.path(),
      ": weights written by ", format->second == "tf" ? "TensorFlow" : "Flax",
      ", whose names and layouts differ; get the PyTorch ones from the model's page, or convert "
      "them with transformers (from_",
      format->second, "=True)");
}

/// A name without the parts that wrappers put into it.
std::string unwrapped(const std::string& name) {
  std::string result;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool wrapper = part == "_orig_mod" || part == "_fsdp_wrapped_module" ||
                         part == "_checkpoint_wrapped_module";
    if (!wrapper) result += (result.empty() ? "" : ".") + part;
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::map<std::string, at::Tensor> without_wrappers(std::map<std::string, at::Tensor> tensors,
                                                   const fs::path& file) {
  const std::string module = "module.";
  std::map<std::string, std::string> names;  // of the file → without wrappers
  for (const auto& [name, tensor] : tensors) names[name] = unwrapped(name);
  while (!names.empty() && std::all_of(names.begin(), names.end(), [&](const auto& entry) {
    return entry.second.starts_with(module) && entry.second.size() > module.size();
  })) {
    for (auto& [name, short_name] : names) short_name.erase(0, module.size());
  }
  std::map<std::string, at::Tensor> result;
  std::map<std::string, std::string> origins;
  for (auto& [name, tensor] : tensors) {
    const std::string& plain = names.at(name);
    const auto [origin, fresh] = origins.emplace(plain, name);
    require(fresh, ErrorCode::kData, file, ": tensor '", plain, "' is there twice, as '",
            origin->second, "' and as '", name, "'");
    result.emplace(plain, std::move(tensor));
  }
  return result;
}

void WeightFiles::replace(const std::string& name, at::Tensor tensor) {
  const auto before = tensors_.find(name);
  if (before != tensors_.end()) replaced_.emplace(name, before->second.scalar_type());
  tensors_[name] = std::move(tensor);
}

at::ScalarType WeightFiles::stored_dtype(const std::string& name) const {
  const auto before = replaced_.find(name);
  return before != replaced_.end() ? before->second : tensors_.at(name).scalar_type();
}

bool same_values(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  if (a.scalar_type() == b.scalar_type()) return a.equal(b);
  return a.to(at::kDouble).equal(b.to(at::kDouble));
}

void refuse_other_formats(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) return;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const fs::path& file = entry.path();
    require(
        file.extension() != ".gguf", ErrorCode::kData, file,
        ": the directory holds a GGUF file, and no model in Hugging Face's format; name the file "
        "itself");
    for (const char* other : {"tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot"}) {
      require(
          file.filename() != other, ErrorCode::kData, file,
          ": weights of another framework, and no model.safetensors or pytorch_model.bin beside "
          "them; get one of these from the model's page");
    }
  }
}

JsonDocument read_model_config(const fs::path& model) {
  if (is_gguf_file(model)) {
    JsonDocument document{config_of_gguf(GgufFile(model)), {}};
    // Keys have other names there, but errors tell the file.
    for (const auto& [key, value] : document.value.items()) document.places[key] = model.string();
    return document;
  }
  const fs::path path = model / "config.json";
  return parse_json_document(read_file(path), path.string());
}

WeightFiles::WeightFiles(const fs::path& model) {
  if (is_gguf_file(model)) {
    tensors_ = tensors_of_gguf(std::make_shared<const GgufFile>(model));
    return;
  }
  const auto has = [&](const char* name) { return fs::exists(model / name); };
  if (has("model.safetensors") || has("model.safetensors.index.json")) {
    const auto files = std::make_shared<const SafetensorsSet>(model);
    for (const auto& [name, file] : files->tensors()) {
      refuse_other_frameworks(*file);
      tensors_.emplace(name, map_tensor(files->info(name), files->bytes(name), files));
    }
  } else if (has("pytorch_model.bin")) {
    add_torch_file(model / "pytorch_model.bin", tensors_);
  } else if (const fs::path index = model / "pytorch_model.bin.index.json"; fs::exists(index)) {
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
    refuse_other_formats(model);
    fail(ErrorCode::kMissing, model.string(),
         ": no weights: neither model.safetensors, nor pytorch_model.bin, nor the index of either");
  }
  tensors_ = without_wrappers(std::move(tensors_), model);
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
