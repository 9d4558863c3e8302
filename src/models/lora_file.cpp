#include "models/lora_file.h"

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "io/safetensors.h"
#include "io/torch_file.h"
#include "models/labels.h"
#include "models/tensor_file.h"
#include "models/tensor_matching.h"
#include "models/transformer_model.h"

namespace llmctl {
namespace {

bool is_map(const std::string& name) {
  return name.find(".lora_") != std::string::npos;
}

/// Takes PEFT's own modules out of a name; empty for the copy of the base's layer that stands
/// beside one kept whole.
std::string plain_name(const std::string& name) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  std::string result;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t behind = parts.size() - i - 1;
    if (parts[i] == "original_module") return "";
    if (parts[i] == "base_layer") continue;
    if (parts[i] == "modules_to_save") {
      if (behind > 1) ++i;  // the adapter's name
      continue;
    }
    result += (result.empty() ? "" : ".") + parts[i];
    // "lora_A.NAME.weight"
    if ((parts[i] == "lora_A" || parts[i] == "lora_B") && behind > 1) ++i;
  }
  return result;
}

}  // namespace

LoraFile::LoraFile(const fs::path& directory, const LoraConfig& config)
    : directory_(directory), config_(config) {
  const Json json = load_json(directory / kAdapterConfig);
  tied_ = json.is_object() && json.contains("ensure_weight_tying") &&
          json["ensure_weight_tying"] == true;
  std::map<std::string, at::Tensor> stored;
  path_ = directory / kAdapterWeights;
  if (const fs::path old = directory / kOldAdapterWeights; !fs::exists(path_) && fs::exists(old)) {
    path_ = old;
    const auto file = std::make_shared<const TorchFile>(path_);
    for (const auto& [name, tensor] : file->tensors()) {
      stored.emplace(name, map_tensor(tensor, file));
    }
  } else {
    const auto file = std::make_shared<const SafetensorsFile>(path_);
    for (const auto& [name, info] : file->tensors()) {
      stored.emplace(name, map_tensor(info, file->bytes(name), file));
    }
    metadata_ = file->metadata();
  }
  for (auto& [name, tensor] : without_wrappers(std::move(stored), path_)) {
    const std::string plain = plain_name(name);
    if (plain.empty()) continue;
    require(plain.starts_with(kPeftPrefix), ErrorCode::kData, path_, ": tensor ", name,
            ": expected a name that begins with ", kPeftPrefix, " as PEFT writes them");
    const bool fresh = tensors_.emplace(plain, tensor).second;
    require(fresh, ErrorCode::kData, path_, ": tensor ", name, " is there under two names");
  }
}

std::vector<std::string> LoraFile::labels() const {
  if (metadata_.contains("labels")) return adapter_labels(directory_);
  const fs::path beside = directory_ / "config.json";
  if (!fs::exists(beside)) return {};
  const JsonDocument document = parse_json_document(read_file(beside), beside.string());
  return read_labels(ConfigNode(&document.value, "", &document, ErrorCode::kData));
}

void LoraFile::replace_in(WeightFiles& files, Json& config, const ModelPlan& plan,
                          const Adapter& adapter) const {
  const std::string prefix = kPeftPrefix;
  const std::string table = embedding_rule(plan).file_name;
  const auto own = tensors_.find(prefix + table);
  if (own != tensors_.end()) {
    const at::Tensor& embeddings = own->second;
    require(embeddings.dim() == 2, ErrorCode::kData, path_, ": tensor ", own->first, " has shape ",
            shape_text(embeddings.sizes()), ", expected [tokens, ", plan.facts.hidden_size, "]");
    // Trained beside the table, as modules_to_save are, the output matrix stays the base's.
    const std::string layer = table.substr(0, table.rfind('.'));
    const bool apart = plan.lm && plan.lm->tied &&
                       !tensors_.contains(prefix + plan.output_matrix) && config_.saves(layer) &&
                       !tied_;
    const auto before = FileNames(files, plan).find(table, true);
    if (apart && before) {
      files.replace(plan.output_matrix, files.tensors().at(*before));
      adapter.set_tied(config, false);
    }
    if (embeddings.size(0) != plan.facts.vocab_size) {
      log_info(path_.string(), ": embeddings of ", embeddings.size(0),
               " tokens instead of the base's ", plan.facts.vocab_size);
      config["vocab_size"] = embeddings.size(0);
      if (config.contains("decoder_vocab_size")) config["decoder_vocab_size"] = embeddings.size(0);
    }
  }
  for (const auto& [name, tensor] : tensors_) {
    if (is_map(name)) continue;
    const std::string plain = name.substr(prefix.size());
    files.replace(
        FileNames(files, plan).find(plain, plain.starts_with(plan.prefix)).value_or(plain), tensor);
  }
}

bool LoraFile::has_head(const ModelPlan& plan) const {
  return std::any_of(plan.tensors.begin(), plan.tensors.end(), [&](const TensorRule& rule) {
    return rule.parameter == "head.output.weight" &&
           tensors_.contains(kPeftPrefix + rule.file_name);
  });
}

void LoraFile::require_used(const TransformerModel& model, bool train) const {
  std::set<std::string> layers, maps;
  const ModelPlan& plan = model.plan();
  for (const TensorRule& rule : plan.tensors) layers.insert(kPeftPrefix + rule.file_name);
  if (plan.lm) layers.insert(kPeftPrefix + plan.output_matrix);
  for (const TensorCopy& copy : plan.copies) layers.insert(kPeftPrefix + copy.name);
  for (const auto& [name, value] : model.parameters()) maps.insert(name);
  for (const auto& [name, tensor] : tensors_) {
    if (is_map(name)) {
      // Parts of one tensor have numbers behind its name.
      require(maps.contains(name) || maps.contains(name + ".0"), ErrorCode::kData, path_,
              ": tensor ", name,
              " has no part in the model: maps of embeddings and of the output matrix are not "
              "supported, and other layers must be among target_modules");
      continue;
    }
    require(layers.contains(name), ErrorCode::kData, path_, ": tensor ", name, " has no part in a ",
            plan.facts.architecture);
    require(!train || maps.contains(name), ErrorCode::kData, path_, ": tensor ", name,
            " is not among modules_to_save and would be lost in training; export the adapter "
            "(llmctl export) and adapt the result");
  }
}

}  // namespace llmctl
