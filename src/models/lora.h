// Low-rank adaptation (Hu et al., 2021), configured and stored as PEFT does
// (https://github.com/huggingface/peft): which layers get maps, and the adapter's directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "models/model.h"

namespace llmctl {

/// The layers of a model by name.
struct LayerNames {
  std::vector<std::string> all,
      kept,     ///< what can be trained whole
      linear,   ///< what can have maps
      adapted;  ///< what has them
};

/// Section "lora", and adapter_config.json: PEFT's keys.
struct LoraConfig {
  std::int64_t r = 8;
  double lora_alpha = 8, lora_dropout = 0;
  Json target_modules = "all-linear", exclude_modules, modules_to_save, layers_to_transform,
       layers_pattern;
  std::map<std::string, std::int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  bool use_rslora = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("r", self.r, "Rank of the maps.", Range<std::int64_t>{1, 65536});
    visit("lora_alpha", self.lora_alpha, "The maps count lora_alpha / r times.",
          Range<double>{0, 1e6});
    visit("lora_dropout", self.lora_dropout, "Dropout of what the maps read, in training.",
          Range<double>{0, 1}, Change::kOnRequest);
    visit("target_modules", self.target_modules,
          "Layers that get maps: a list of names or their endings (\"q_proj\"), a regular "
          "expression of whole names, or \"all-linear\": all but the output layer.",
          Kinds{"string or list of string"});
    visit("exclude_modules", self.exclude_modules, "Layers that get none, given likewise.",
          Kinds{"string or list of string or null"});
    visit("modules_to_save", self.modules_to_save,
          "Layers that are trained whole and kept with the maps; a new head always is.",
          Kinds{"list of string or null"});
    visit("layers_to_transform", self.layers_to_transform,
          "Numbers of the layers (a number or a list) within which target_modules are looked for; "
          "a name that target_modules has in full counts anyway.",
          Kinds{"integer or list of integer or null"});
    visit("layers_pattern", self.layers_pattern,
          "What stands before the number in names of layers; any word by default.",
          Kinds{"string or list of string or null"});
    visit("rank_pattern", self.rank_pattern, "Other ranks: expression of names' ends → r.");
    visit("alpha_pattern", self.alpha_pattern,
          "Other alphas: expression of names' ends → lora_alpha.");
    visit("use_rslora", self.use_rslora, "lora_alpha / √r instead of lora_alpha / r.");
  }
  void validate(const ConfigNode& node) const;

  /// Whether the layer of this name ("model.layers.0.self_attn.q_proj") gets maps. `linear`: it is
  /// a linear layer of the body, as "all-linear" means them.
  bool targets(const std::string& name, bool linear) const;
  bool saves(const std::string& name) const;
  /// Whether layers_to_transform lets the layer have maps.
  bool is_in_layers(const std::string& name) const;
  /// Fails at its key for what stands for no layer, which would do nothing.
  void check_names(const ConfigNode& node, const LayerNames& names) const;
  std::int64_t rank_of(const std::string& name) const;
  double scale_of(const std::string& name) const;
};

/// adapter_config.json: unknown keys are passed over; what changes the mathematics and is not
/// supported is kData, named with its value.
LoraConfig read_lora_config(const JsonDocument& document);

/// adapter_config.json for an adapter of the model in `base`, of a model with such a head.
Json lora_config_json(const LoraConfig& config, const std::string& base, HeadKind head,
                      bool transposed);

/// The head that an adapter's task_type stands for; kNone: the base's own.
HeadKind adapter_head(const Json& config);
/// The names of the classes that an adapter of a classifier was trained for, which llmctl keeps in
/// the metadata of its weights; empty: the base's own.
std::vector<std::string> adapter_labels(const std::filesystem::path& directory);

inline constexpr const char* kAdapterConfig = "adapter_config.json";
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";
/// Key of the metadata of an adapter's weights: weights_fingerprint() of its base in training.
inline constexpr const char* kBaseFingerprint = "base_fingerprint";
/// Keys of config.json that an adapter keeps, as JSON, beside its weights.
inline constexpr const char* kAnsweringKeys[] = {"problem_type", "task_specific_params"};
/// Key of the same metadata: an object of the keys of config.json that the `model` section of the
/// training replaced.
inline constexpr const char* kOverrides = "model_overrides";

/// A value that llmctl keeps as JSON in the metadata of an adapter's weights; null: not there.
/// kData.
Json adapter_metadata(const std::filesystem::path& directory, const std::string& key);
/// The object of kOverrides; empty where there is none. kData.
Json adapter_overrides(const std::filesystem::path& directory);

/// True for the directory of an adapter, which names its base instead of being a model itself.
bool is_adapter_directory(const std::filesystem::path& directory);

/// The directory of an adapter's base: its base_model_name_or_path, from the adapter's directory or
/// the current one, or what `find` knows by that name. kMissing, kData.
std::filesystem::path adapter_base(const std::filesystem::path& directory, const FindModel& find);

}  // namespace llmctl
