#include "models/adapters.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "models/lora_file.h"
#include "models/rope_keys.h"
#include "models/tensor_layout.h"
#include "models/transformer_model.h"
#include "nn/linear.h"

namespace llmctl {
namespace {

/// "model.norm.weight" → "model.norm".
std::string module_of(const std::string& file_name) {
  return file_name.substr(0, file_name.rfind('.'));
}

/// The maps of one layer; nothing where the file has none.
class MapFile {
 public:
  MapFile(const LoraFile& file, const LoraConfig& config, at::Device device)
      : file_(file), config_(config), device_(device) {}

  std::optional<LowRank> maps_of(const TensorRule& rule) {
    const std::string module = module_of(rule.file_name), name = kPeftPrefix + module;
    const auto a = file_.tensors().find(name + ".lora_A.weight");
    const auto b = file_.tensors().find(name + ".lora_B.weight");
    if (a == file_.tensors().end() || b == file_.tensors().end()) return std::nullopt;
    used_.insert(a->first);
    used_.insert(b->first);
    TensorRule part;  // of several layers that the file keeps in one tensor
    part.file_name = b->first;
    part.part = rule.part;
    part.parts = rule.parts;
    LowRank maps;
    maps.a = a->second.to(device_, at::kFloat).contiguous();
    maps.b = parameter_of_file(part, b->second).to(device_, at::kFloat).contiguous();
    maps.scale = config_.scale_of(module);
    require(maps.a.dim() == 2 && maps.b.dim() == 2 && maps.a.size(0) == maps.b.size(1),
            ErrorCode::kData, file_.path(), ": tensors ", a->first, " and ", b->first,
            " have shapes ", a->second.sizes(), " and ", b->second.sizes(),
            ", expected [r, inputs] and [outputs, r]");
    return maps;
  }

  void require_all_used() const {
    for (const auto& [name, tensor] : file_.tensors()) {
      require(name.find(".lora_") != std::string::npos, ErrorCode::kData, file_.path(), ": tensor ",
              name,
              " is a layer kept whole, which cannot stand beside the model's own; merge the "
              "adapter with its base (llmctl export) and use the result");
      require(used_.contains(name), ErrorCode::kData, file_.path(), ": tensor ", name,
              " has no part in the model");
    }
  }

 private:
  const LoraFile& file_;
  const LoraConfig& config_;
  at::Device device_;
  std::set<std::string> used_;
};

/// Maps that were trained beside other positions than the model's would say something else.
void check_positions(const TransformerModel& model, const std::filesystem::path& directory) {
  Json overrides = adapter_overrides(directory);
  write_rope(overrides);
  for (const char* key : {"rope_theta", "rope_scaling"}) {
    const Json trained = overrides.value(key, Json()), own = model.config().value(key, Json());
    require(!overrides.contains(key) || trained == own, ErrorCode::kData, directory,
            ": the adapter was trained with model.", key, " ", dump_json(trained),
            ", the model has ", dump_json(own),
            "; merge the adapter with its base (llmctl export) and use the result");
  }
}

}  // namespace

std::size_t add_adapter(Model& model, const std::filesystem::path& directory,
                        const std::filesystem::path& base) {
  auto* const transformer = dynamic_cast<TransformerModel*>(&model);
  require(transformer != nullptr, ErrorCode::kData, directory, ": a ", model.facts().architecture,
          " takes no adapters");
  const std::filesystem::path path = directory / kAdapterConfig;
  require(std::filesystem::exists(path), ErrorCode::kMissing, directory,
          ": is no adapter, which has an ", kAdapterConfig);
  const LoraConfig config = read_lora_config(parse_json_document(read_file(path), path.string()));
  const LoraFile file(directory, config);
  check_positions(*transformer, directory);
  MapFile maps(file, config, model.device());
  const std::map<std::string, Linear*> layers = transformer->linear_layers();
  std::vector<std::pair<Linear*, LowRank>> found;
  for (const TensorRule& rule : transformer->plan().tensors) {
    const auto layer = layers.find(rule.parameter);
    if (layer == layers.end()) continue;
    std::optional<LowRank> own = maps.maps_of(rule);
    if (!own) continue;
    const at::Tensor& weight = layer->second->weight;
    // Of 4-bit matrices two inputs lie in a byte.
    const bool fits = own->b.size(0) == weight.size(0) &&
                      (own->a.size(1) == weight.size(1) ||
                       (!weight.is_floating_point() && own->a.size(1) == 2 * weight.size(1)));
    require(fits, ErrorCode::kData, file.path(), ": the maps of ", rule.file_name, " are for [",
            own->b.size(0), ", ", own->a.size(1), "], the model's layer is ", weight.sizes());
    found.emplace_back(layer->second, std::move(*own));
  }
  maps.require_all_used();
  require(!found.empty(), ErrorCode::kData, file.path(), ": holds no maps");
  const std::size_t number = transformer->new_adapter();
  for (auto& [layer, own] : found) {
    layer->adapters.resize(number + 1);
    layer->adapters[number] = std::move(own);
  }
  const auto trained_on = file.metadata().find(kBaseFingerprint);
  if (trained_on != file.metadata().end() && trained_on->second != weights_fingerprint(base)) {
    log_warning(directory.string(), ": the adapter was trained on other weights than those of ",
                base.string());
  }
  return number;
}

}  // namespace llmctl
