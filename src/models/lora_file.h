// The weights of a PEFT adapter: its low-rank maps, and the layers that it keeps whole.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/adapter.h"
#include "models/lora.h"
#include "models/weight_files.h"

namespace llmctl {

class TransformerModel;

/// adapter_model.safetensors or adapter_model.bin. Names are as PEFT writes them:
/// "base_model.model.LAYER.lora_A.weight", and "base_model.model.LAYER.weight" of a layer that is
/// kept whole; what PEFT's own modules put between ("modules_to_save.NAME", "base_layer", the
/// adapter's name behind lora_A) is taken out.
class LoraFile {
 public:
  /// kMissing, kData.
  LoraFile(const std::filesystem::path& directory, const LoraConfig& config);

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The names of the classes that an adapter of a classifier was trained for: in its metadata, or
  /// in a config.json beside it; empty: the base's own.
  std::vector<std::string> labels() const;

  /// Puts the layers kept whole in the place of the base's; the configuration follows where these
  /// are embeddings of more tokens, or stand beside an output matrix that stays the base's.
  void replace_in(WeightFiles& files, Json& config, const ModelPlan& plan,
                  const Adapter& adapter) const;
  /// Whether it holds the output of the plan's head.
  bool has_head(const ModelPlan& plan) const;
  /// kData for a tensor that has no part in the model; with `train` for one that would not be
  /// trained and saved with it.
  void require_used(const TransformerModel& model, bool train) const;

 private:
  std::filesystem::path directory_, path_;
  LoraConfig config_;
  /// Embeddings that are kept whole stay the output matrix of a model that ties the two
  /// (ensure_weight_tying).
  bool tied_ = false;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// The weights of an adapter of PEFT's first releases.
inline constexpr const char* kOldAdapterWeights = "adapter_model.bin";
/// What stands before the names of an adapter's tensors.
inline constexpr const char* kPeftPrefix = "base_model.model.";

}  // namespace llmctl
