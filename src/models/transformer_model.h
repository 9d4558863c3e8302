// The one implementation of Model: a body and a head as a plan describes them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/adapter.h"
#include "models/lora.h"
#include "models/model.h"
#include "models/tensor_file.h"

namespace llmctl {

/// The shapes of what a plan's rules stand for, in their order, without memory for values.
std::vector<std::vector<std::int64_t>> tensor_shapes(const ModelPlan& plan);

class TransformerModel : public Model {
 public:
  /// Parameters are there, of `dtype`, on the CPU, with undefined values. `config` is the model's
  /// config.json, `generation` what its generation_config.json had.
  TransformerModel(ModelPlan plan, Json config, Json generation, at::ScalarType dtype,
                   at::DeviceType device = at::kCPU);

  const ModelPlan& plan() const { return plan_; }

  const ModelFacts& facts() const override { return plan_.facts; }
  const Json& config() const override { return config_; }
  Json& config() override { return config_; }
  at::Tensor encode(const Sequence& source, const Context& context) override {
    return body_->encode(source, context);
  }
  at::Tensor hidden(const Sequence& input, const Context& context) override;
  at::Tensor head(const at::Tensor& rows, const Context& context) override;
  at::Tensor lm_loss(const at::Tensor& rows, const at::Tensor& labels, const Context& context,
                     at::Tensor* per_row, double label_smoothing) override;
  at::Tensor pooled(const at::Tensor& hidden, const Sequence& input) const override;
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override;
  /// What the plan's rules stand for, in their order: parameters and constants.
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  std::vector<std::pair<std::string, at::Tensor>> in_file_layout(
      const std::vector<at::Tensor>& values) const override;
  at::Tensor word_embeddings() const override { return body_->words().weight; }
  std::vector<bool> decayed() const override;
  void add_lora(const LoraConfig& config, const ConfigNode& node, const std::filesystem::path& base,
                std::uint64_t seed) override;
  void quantize(const Quantization& quantization) override;
  std::optional<Quantization> quantization() const override { return quantization_; }
  void to(const at::Device& device) override;
  at::Device device() const override { return tensors_.front().device(); }
  std::unique_ptr<KvCache> make_cache(std::int64_t tokens, const Context& context) const override;
  void save(const std::filesystem::path& directory, std::optional<at::ScalarType> dtype,
            std::uint64_t max_shard_bytes) const override;
  void check_values(std::optional<at::ScalarType> dtype) const override;
  std::uint64_t file_bytes(std::optional<at::ScalarType> dtype) const override;
  at::ScalarType stored_dtype() const override;
  void load_weights(const std::filesystem::path& directory) override {
    read_trained(directory, false);
  }

  /// Our linear layers by the path of their weight: "body.layer0.attention.query.weight".
  std::map<std::string, Linear*> linear_layers() const;

  /// As add_lora(); false when no layer has such a name. The maps have undefined values.
  bool insert_lora(const LoraConfig& config, const std::string& base);
  /// Adds the maps to the weights that they stand beside; the model is then one without an adapter.
  void merge_lora();
  /// As load_weights() of an adapter's directory, but the layers that it keeps whole stay as they
  /// are here.
  void load_maps(const std::filesystem::path& directory) { read_trained(directory, true); }

  /// The number of one more adapter beside the weights (models/adapters.h).
  std::size_t new_adapter() { return adapters_beside_++; }

  /// The dtypes that tensors() have in the files that they came from; kFloat by default.
  void set_stored_dtypes(std::vector<at::ScalarType> dtypes) { stored_dtypes_ = std::move(dtypes); }
  /// The matrices that may be kept in other forms than `dtype`, by the paths of their parameters:
  /// of the body's linear layers, the token embeddings, an output matrix of its own.
  std::map<std::string, Matrix*> matrices() const;
  /// Says that the directory's matrices are.
  void set_quantization(const Quantization& quantization) { quantization_ = quantization; }
  /// Keys of config() that replaced those of the directory: an adapter of the model keeps them.
  void set_overrides(Json overrides) { overrides_ = std::move(overrides); }
  /// Tensors that are saved with the model and have no other part in it.
  void carry(std::vector<std::pair<std::string, at::Tensor>> tensors) {
    carried_ = std::move(tensors);
  }

 private:
  /// Low-rank maps and the layers that are trained whole beside them.
  struct LoraState {
    LoraConfig config;
    std::string base, base_fingerprint;
    std::vector<TensorRule> rules;
    std::vector<at::Tensor> tensors;
    std::vector<Linear*> adapted;
    bool transposed = false;  ///< the file keeps the layers' matrices transposed
  };

  /// What save() writes, each tensor in `dtype` or in that of the file that it came from.
  std::vector<TensorSource> sources(std::optional<at::ScalarType> dtype) const;
  /// What is trained: rules and tensors side by side.
  std::pair<std::vector<TensorRule>, std::vector<at::Tensor>> trained() const;
  /// load_weights() and load_maps().
  void read_trained(const std::filesystem::path& directory, bool maps_alone);
  /// The names by which lora's keys mean them.
  LayerNames layer_names() const;
  void save_adapter(const std::filesystem::path& directory, at::ScalarType dtype) const;
  /// Fresh maps: B is zero, so that the model is what it was; A is drawn with the deviation that
  /// PEFT's uniform draws have.
  void initialize_maps(std::uint64_t seed);

  ModelPlan plan_;
  Json config_, generation_, overrides_ = Json::object();
  std::shared_ptr<Body> body_;
  std::shared_ptr<LmHead> lm_;
  std::shared_ptr<Classifier> classifier_;
  std::vector<at::Tensor> tensors_;
  std::vector<at::ScalarType> stored_dtypes_;  // beside tensors_
  std::vector<std::pair<std::string, at::Tensor>> carried_;
  std::optional<LoraState> adapter_;
  std::optional<Quantization> quantization_;
  std::size_t adapters_beside_ = 0;
};

/// What a parameter is, for its first value and for weight decay: by the last parts of our names.
enum class ParameterKind { kMatrix, kNormWeight, kBias };
ParameterKind parameter_kind(const std::string& parameter);

}  // namespace llmctl
