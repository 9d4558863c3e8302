#include "models/transformer_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "models/labels.h"
#include "models/lora_file.h"
#include "models/tensor_matching.h"
#include "models/weight_files.h"
#include "nn/initialize.h"

namespace llmctl {
namespace {

/// "model.norm.weight" → "model.norm".
std::string module_of(const std::string& file_name) {
  return file_name.substr(0, file_name.rfind('.'));
}

/// Written where the file that a model came from names no version; older and newer releases read
/// it.
constexpr const char* kTransformersVersion = "5.0.0";

struct Parts {
  std::shared_ptr<Body> body;
  std::shared_ptr<LmHead> lm;
  std::shared_ptr<Classifier> classifier;
  std::vector<at::Tensor> tensors;  // in the order of the plan's rules
};

Parts build(const ModelPlan& plan, const at::TensorOptions& options) {
  Parts parts;
  if (const auto* decoder = std::get_if<DecoderConfig>(&plan.body)) {
    parts.body = std::make_shared<Decoder>(*decoder, options);
  } else if (const auto* both = std::get_if<EncoderDecoderConfig>(&plan.body)) {
    parts.body = std::make_shared<EncoderDecoder>(*both, options);
  } else {
    parts.body = std::make_shared<Encoder>(std::get<EncoderConfig>(plan.body), options);
  }
  if (plan.lm) parts.lm = std::make_shared<LmHead>(*plan.lm, options);
  if (plan.classifier) parts.classifier = std::make_shared<Classifier>(*plan.classifier, options);

  std::map<std::string, at::Tensor> ours;
  const auto collect = [&](const std::string& prefix, const torch::nn::Module& module) {
    for (const auto& item : module.named_parameters()) ours[prefix + item.key()] = item.value();
    for (const auto& item : module.named_buffers()) ours[prefix + item.key()] = item.value();
  };
  collect("body.", *parts.body);
  if (parts.lm) collect("head.", *parts.lm);
  if (parts.classifier) collect("head.", *parts.classifier);
  for (const auto& rule : plan.tensors) {
    const auto found = ours.find(rule.parameter);
    require(found != ours.end(), ErrorCode::kInternal, "no parameter ", rule.parameter, " for ",
            rule.file_name);
    parts.tensors.push_back(found->second);
    ours.erase(found);
  }
  require(ours.empty(), ErrorCode::kInternal, "no name in files for parameter ",
          ours.empty() ? "" : ours.begin()->first);
  return parts;
}

const char* dtype_text(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    case at::kDouble:
      return "float64";
    default:
      fail(ErrorCode::kInternal, "weights cannot be stored as ", at::toString(dtype));
  }
}

}  // namespace

std::vector<std::vector<std::int64_t>> tensor_shapes(const ModelPlan& plan) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const auto& tensor : build(plan, at::TensorOptions().device(at::kMeta)).tensors) {
    shapes.push_back(tensor.sizes().vec());
  }
  return shapes;
}

ParameterKind parameter_kind(const std::string& parameter) {
  if (parameter.ends_with("bias")) return ParameterKind::kBias;
  return parameter.ends_with("norm.weight") ? ParameterKind::kNormWeight : ParameterKind::kMatrix;
}

TransformerModel::TransformerModel(ModelPlan plan, Json config, Json generation,
                                   at::ScalarType dtype, at::DeviceType device)
    : plan_(std::move(plan)), config_(std::move(config)), generation_(std::move(generation)) {
  Parts parts = build(plan_, at::TensorOptions().dtype(dtype).device(device));
  body_ = std::move(parts.body);
  lm_ = std::move(parts.lm);
  classifier_ = std::move(parts.classifier);
  tensors_ = std::move(parts.tensors);
  stored_dtypes_.assign(tensors_.size(), at::kFloat);
}

std::pair<std::vector<TensorRule>, std::vector<at::Tensor>> TransformerModel::trained() const {
  if (adapter_) return {adapter_->rules, adapter_->tensors};
  std::pair<std::vector<TensorRule>, std::vector<at::Tensor>> result;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!plan_.tensors[i].trained) continue;
    result.first.push_back(plan_.tensors[i]);
    result.second.push_back(tensors_[i]);
  }
  return result;
}

std::vector<std::pair<std::string, at::Tensor>> TransformerModel::parameters() const {
  const auto [rules, tensors] = trained();
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    parameters.emplace_back(rules[i].name(), tensors[i]);
  }
  return parameters;
}

std::vector<std::pair<std::string, at::Tensor>> TransformerModel::in_file_layout(
    const std::vector<at::Tensor>& values) const {
  const std::vector<TensorRule> rules = trained().first;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (std::size_t i = 0; i < rules.size(); i += static_cast<std::size_t>(rules[i].parts)) {
    tensors.emplace_back(rules[i].file_name, tensor_of_file(rules, values, i));
  }
  return tensors;
}

at::Tensor TransformerModel::hidden(const Sequence& input, const Context& context) {
  return body_->forward(input, context);
}

at::Tensor TransformerModel::head(const at::Tensor& rows, const Context& context) {
  if (lm_) return lm_->forward(rows, body_->words(), context);
  require(classifier_ != nullptr, ErrorCode::kInternal, plan_.facts.architecture, " has no head");
  return classifier_->forward(rows, context);
}

at::Tensor TransformerModel::lm_loss(const at::Tensor& rows, const at::Tensor& labels,
                                     const Context& context, at::Tensor* per_row,
                                     double label_smoothing) {
  require(lm_ != nullptr, ErrorCode::kInternal, plan_.facts.architecture,
          " has no language model's head");
  return lm_->loss(rows, body_->words(), labels, context, per_row, label_smoothing);
}

at::Tensor TransformerModel::pooled(const at::Tensor& hidden, const Sequence& input) const {
  if (!plan_.facts.mean_pooling && !plan_.facts.causal) return hidden.select(1, 0);
  const std::int64_t last = input.length() - 1;
  if (!input.documents.defined())
    return plan_.facts.causal ? hidden.select(1, last) : hidden.mean(1, false, at::kFloat);
  const at::Tensor real = input.documents.ge(0).to(hidden.device());  // [B, T]
  if (plan_.facts.causal) {
    const at::Tensor index = real.sum(1).sub(1).clamp_min(0).view({-1, 1, 1});
    return hidden.gather(1, index.expand({-1, 1, hidden.size(2)})).squeeze(1);
  }
  const at::Tensor counts = real.sum(1, true).clamp_min(1).to(at::kFloat);  // [B, 1]
  // Padding has no part in the sum, whatever its states are.
  const at::Tensor states = hidden.to(at::kFloat).masked_fill(real.logical_not().unsqueeze(-1), 0);
  return states.sum(1).div(counts);
}

std::vector<bool> TransformerModel::decayed() const {
  std::vector<bool> flags;
  for (const auto& rule : trained().first) {
    flags.push_back(parameter_kind(rule.parameter) == ParameterKind::kMatrix);
  }
  return flags;
}

void TransformerModel::to(const at::Device& device) {
  const c10::AutoGradMode no_grad(false);
  for (at::Tensor& tensor : tensors_) tensor.set_data(tensor.to(device));
  for (const auto& [path, matrix] : matrices()) {
    if (matrix->is_quantized()) matrix->scales = matrix->scales.to(device);
  }
  if (!adapter_) return;
  for (at::Tensor& tensor : adapter_->tensors) tensor.set_data(tensor.to(device));
}

std::unique_ptr<KvCache> TransformerModel::make_cache(std::int64_t tokens,
                                                      const Context& context) const {
  require(plan_.facts.causal, ErrorCode::kInternal, plan_.facts.architecture, " has no cache");
  const ModelFacts& facts = plan_.facts;
  const KvCacheShape shape = {facts.layers, facts.kv_heads, facts.head_size};
  // Beside matrices of less than fp32 keys and values in bf16 add less than those err by.
  const auto layers = linear_layers();
  const bool narrow =
      quantization_ || std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
        return layer.second->weight.scalar_type() == at::kBFloat16;
      });
  const bool even = shape.head_size % 2 == 0;  // bf16 lies in pairs
  const at::ScalarType type = !even ? at::kFloat : narrow ? at::kBFloat16 : context.compute;
  return std::make_unique<KvCache>(shape, type, device(), tokens);
}

namespace {

/// The file's tensor that begins with rules[i], made when it is written.
TensorSource file_source(const std::vector<TensorRule>& rules,
                         const std::vector<at::Tensor>& tensors, std::size_t i,
                         at::ScalarType dtype) {
  return {rules[i].file_name, dtype, file_shape(rules[i], tensors[i].sizes().vec()),
          [&rules, &tensors, i] { return tensor_of_file(rules, tensors, i); }};
}

/// Integers and scales of the tensor that begins with rules[i]: the rows of its parts one behind
/// the other.
void add_quantized(const std::map<std::string, Matrix*>& matrices,
                   const std::vector<TensorRule>& rules, std::size_t i,
                   std::vector<TensorSource>& sources) {
  std::vector<at::Tensor> values, scales;
  for (std::size_t part = i; part < i + static_cast<std::size_t>(rules[i].parts); ++part) {
    values.push_back(matrices.at(rules[part].parameter)->weight);
    scales.push_back(matrices.at(rules[part].parameter)->scales);
  }
  const auto add = [&](const std::string& name, const std::vector<at::Tensor>& parts) {
    std::vector<std::int64_t> shape = parts.front().sizes().vec();
    shape.front() *= rules[i].parts;
    sources.push_back({name, parts.front().scalar_type(), shape,
                       [parts] { return parts.size() == 1 ? parts.front() : at::cat(parts, 0); }});
  };
  add(rules[i].file_name, values);
  add(rules[i].file_name + kScaleSuffix, scales);
}

}  // namespace

std::uint64_t TransformerModel::file_bytes(std::optional<at::ScalarType> dtype) const {
  std::uint64_t bytes = 0;
  for (const TensorSource& source : sources(dtype)) bytes += bytes_of(source);
  return bytes;
}

at::ScalarType TransformerModel::stored_dtype() const {
  std::map<at::ScalarType, std::int64_t> values;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    values[stored_dtypes_[i]] += tensors_[i].numel();
  }
  return std::max_element(values.begin(), values.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::vector<TensorSource> TransformerModel::sources(std::optional<at::ScalarType> dtype) const {
  const std::vector<at::ScalarType> dtypes =
      dtype ? std::vector<at::ScalarType>(tensors_.size(), *dtype) : stored_dtypes_;
  std::vector<TensorSource> sources;
  const std::map<std::string, Matrix*> found = matrices();
  for (std::size_t i = 0; i < tensors_.size();
       i += static_cast<std::size_t>(plan_.tensors[i].parts)) {
    const auto matrix = found.find(plan_.tensors[i].parameter);
    if (matrix != found.end() && matrix->second->is_quantized()) {
      add_quantized(found, plan_.tensors, i, sources);
    } else {
      sources.push_back(file_source(plan_.tensors, tensors_, i, dtypes[i]));
    }
  }
  for (const auto& [name, tensor] : carried_) {
    sources.push_back({name, dtype.value_or(tensor.scalar_type()), tensor.sizes().vec(),
                       [&held = tensor] { return held; }});
  }
  return sources;
}

void TransformerModel::check_values(std::optional<at::ScalarType> dtype) const {
  check_model_files(sources(dtype));
}

void TransformerModel::save(const std::filesystem::path& directory,
                            std::optional<at::ScalarType> dtype,
                            std::uint64_t max_shard_bytes) const {
  make_directories(directory);
  if (adapter_) return save_adapter(directory, dtype.value_or(at::kFloat));
  write_model_files(directory, sources(dtype), max_shard_bytes);

  Json config = config_;
  config.erase("dtype");
  config["torch_dtype"] = dtype_text(dtype.value_or(stored_dtype()));
  if (quantization_) config[kQuantizationKey] = quantization_json(*quantization_);
  if (!config.contains("transformers_version")) {
    config["transformers_version"] = kTransformersVersion;
  }
  if (plan_.lm && plan_.facts.causal) {
    Json generation = generation_;
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id",
                            "decoder_start_token_id", "forced_eos_token_id"}) {
      if (config.contains(key) && !config[key].is_null() && !generation.contains(key)) {
        generation[key] = config[key];
      }
    }
    generation["transformers_version"] = config["transformers_version"];
    write_file(directory / "generation_config.json", dump_json(generation, 2) + "\n");
  }
  // Last: a directory without config.json is no model directory.
  write_file(directory / "config.json", dump_json(config, 2) + "\n");
}

void TransformerModel::save_adapter(const std::filesystem::path& directory,
                                    at::ScalarType dtype) const {
  const LoraState& state = *adapter_;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (std::size_t i = 0; i < state.rules.size();
       i += static_cast<std::size_t>(state.rules[i].parts)) {
    tensors.emplace_back(state.rules[i].file_name,
                         tensor_of_file(state.rules, state.tensors, i).to(dtype));
  }
  if (plan_.lm && plan_.lm->tied &&
      state.config.saves(module_of(embedding_rule(plan_).file_name))) {
    // To PEFT the output matrix would stay the base's, unless it is there too.
    tensors.emplace_back(kPeftPrefix + plan_.output_matrix,
                         word_embeddings().detach().to(dtype).clone());
  }
  std::map<std::string, std::string> metadata = {{kBaseFingerprint, state.base_fingerprint}};
  if (plan_.classifier && plan_.facts.head != HeadKind::kSpan) {
    metadata["labels"] = dump_json(Json(read_labels(ConfigNode(&config_, "", nullptr))));
  }
  // An adapter has no config.json: what answering with it needs stands beside its weights.
  for (const char* key : kAnsweringKeys) {
    if (config_.contains(key) && !config_.at(key).is_null())
      metadata[key] = dump_json(config_.at(key));
  }
  if (!overrides_.empty()) metadata[kOverrides] = dump_json(overrides_);
  write_tensors(directory / kAdapterWeights, tensors, metadata);
  const Json config =
      lora_config_json(state.config, state.base, plan_.facts.head, state.transposed);
  // Last: a directory without it is no adapter.
  write_file(directory / kAdapterConfig, dump_json(config, 2) + "\n");
}

void TransformerModel::read_trained(const std::filesystem::path& directory, bool maps_alone) {
  const auto [rules, tensors] = trained();
  std::map<std::string, at::Tensor> stored;
  if (adapter_) {
    stored = LoraFile(directory, adapter_->config).tensors();
  } else {
    stored = WeightFiles(directory).tensors();
  }
  const c10::AutoGradMode no_grad(false);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const TensorRule& rule = rules[i];
    const auto found = stored.find(rule.file_name);
    require(found != stored.end(), ErrorCode::kData, directory, ": no tensor '", rule.file_name,
            "'");
    if (maps_alone && rule.file_name.find(".lora_") == std::string::npos) continue;
    const auto shape = file_shape(rule, tensors[i].sizes().vec());
    require(found->second.sizes() == at::IntArrayRef(shape), ErrorCode::kData, directory,
            ": tensor '", rule.file_name, "' has shape ", found->second.sizes(),
            ", the model's is ", at::IntArrayRef(shape));
    at::Tensor parameter = tensors[i];
    parameter.copy_(parameter_of_file(rule, found->second));
  }
}

std::map<std::string, Matrix*> TransformerModel::matrices() const {
  std::map<std::string, Matrix*> matrices;
  for (const auto& item : body_->named_modules("", /*include_self=*/false)) {
    auto* const matrix = dynamic_cast<Matrix*>(item.value().get());
    const bool words = matrix == &body_->words() || matrix == body_->source_words();
    if (dynamic_cast<Linear*>(matrix) || (matrix && words)) {
      matrices["body." + item.key() + ".weight"] = matrix;
    }
  }
  if (lm_ && lm_->weight.defined()) matrices["head.weight"] = lm_.get();
  return matrices;
}

void TransformerModel::quantize(const Quantization& quantization) {
  if (quantization_ == quantization) return;
  require(!quantization_, ErrorCode::kConfig, "the model's weights are ",
          quantization_ ? quantization_name(*quantization_) : "", " already; they cannot be made ",
          quantization_name(quantization), ", which needs the model that they were made from");
  require(!adapter_, ErrorCode::kInternal, "a model in training cannot be quantised");
  for (const auto& [path, matrix] : matrices()) {
    const bool grouped = quantization.weights == WeightForm::kInt4 &&
                         dynamic_cast<Linear*>(matrix) &&
                         matrix->weight.size(1) % quantization.group_size == 0;
    const WeightForm form = grouped ? WeightForm::kInt4 : WeightForm::kInt8;
    matrix->set_form(quantize_weight(matrix->weight.detach(), form, quantization.group_size),
                     /*frozen=*/true);
  }
  quantization_ = quantization;
}

std::map<std::string, Linear*> TransformerModel::linear_layers() const {
  std::map<std::string, Linear*> layers;
  const auto collect = [&](const std::string& prefix, const torch::nn::Module& module) {
    for (const auto& item : module.named_modules("", /*include_self=*/false)) {
      if (auto* const linear = dynamic_cast<Linear*>(item.value().get())) {
        layers[prefix + item.key() + ".weight"] = linear;
      }
    }
  };
  collect("body.", *body_);
  if (lm_) collect("head.", *lm_);
  if (classifier_) collect("head.", *classifier_);
  return layers;
}

void TransformerModel::add_lora(const LoraConfig& config, const ConfigNode& node,
                                const std::filesystem::path& base, std::uint64_t seed) {
  LoraConfig whole = config;
  if (plan_.classifier) {
    // A task's own head is trained as it is.
    if (whole.modules_to_save.is_null()) whole.modules_to_save = Json::array();
    for (const TensorRule& rule : plan_.tensors) {
      const std::string module = module_of(rule.file_name);
      if (rule.parameter.starts_with("head.") && !whole.saves(module)) {
        whole.modules_to_save.push_back(module);
      }
    }
  }
  if (!insert_lora(whole, base.string())) {
    const auto example = std::find_if(
        plan_.tensors.begin(), plan_.tensors.end(),
        [](const TensorRule& rule) { return rule.parameter.ends_with("attention.query.weight"); });
    node.fail("target_modules",
              concat(config.target_modules.dump(), " names no layer",
                     config.layers_to_transform.empty() ? "" : " within layers_to_transform",
                     "; there is, for example, ", module_of(example->file_name)));
  }
  config.check_names(node, layer_names());
  initialize_maps(seed);
}

LayerNames TransformerModel::layer_names() const {
  LayerNames names;
  const std::map<std::string, Linear*> layers = linear_layers();
  const std::string prefix = kPeftPrefix;
  bool embeddings_kept = false;
  for (const TensorRule& rule : plan_.tensors) {
    const std::string module = module_of(rule.file_name);
    names.all.push_back(module);
    if (rule.trained) names.kept.push_back(module);
    if (layers.contains(rule.parameter)) names.linear.push_back(module);
  }
  for (const TensorRule& rule : adapter_->rules) {
    const std::string module = module_of(rule.file_name).substr(prefix.size());
    if (rule.parameter.ends_with(".a.weight"))
      names.adapted.push_back(module.substr(0, module.rfind('.')));
    embeddings_kept = embeddings_kept || module == module_of(embedding_rule(plan_).file_name);
  }
  // Tied to embeddings that are kept, the output matrix is kept with them.
  if (plan_.lm && embeddings_kept) names.kept.push_back(module_of(plan_.output_matrix));
  return names;
}

void TransformerModel::initialize_maps(std::uint64_t seed) {
  const c10::AutoGradMode no_grad(false);
  for (std::size_t i = 0; i < adapter_->rules.size(); ++i) {
    const TensorRule& rule = adapter_->rules[i];
    at::Tensor tensor = adapter_->tensors[i];
    if (rule.parameter.ends_with(".a.weight")) {
      const auto width = static_cast<double>(tensor.size(1));
      fill_normal(tensor, 1 / std::sqrt(3 * width), seed, rule.name());
    } else if (rule.parameter.ends_with(".b.weight")) {
      tensor.zero_();
    }
  }
}

bool TransformerModel::insert_lora(const LoraConfig& config, const std::string& base) {
  LoraState state;
  state.config = config;
  state.base = base;
  const std::map<std::string, Linear*> layers = linear_layers();
  const std::string kPrefix = kPeftPrefix;
  Json modules = Json::array();
  at::Tensor a;  // of all parts of one tensor
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].set_requires_grad(false);
    const TensorRule& rule = plan_.tensors[i];
    const std::string module = module_of(rule.file_name);
    if (rule.trained && config.saves(module)) {
      TensorRule saved = rule;
      saved.file_name = kPrefix + rule.file_name;
      state.rules.push_back(saved);
      state.tensors.push_back(tensors_[i].set_requires_grad(true));
      continue;
    }
    const auto layer = layers.find(rule.parameter);
    if (layer == layers.end()) continue;
    const bool plain = !rule.parameter.starts_with("head.output.");
    if (!config.targets(module, plain)) continue;
    if (rule.part == 0) modules.push_back(module);
    const std::int64_t rank = config.rank_of(module);
    // In fp32 whatever the weights are in, which would lose small updates.
    const auto options = tensors_[i].options().dtype(
        tensors_[i].scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    if (rule.part == 0) {
      a = at::empty({rank, tensors_[i].size(1)}, options).set_requires_grad(true);
      state.rules.push_back({.file_name = kPrefix + module + ".lora_A.weight",
                             .parameter = rule.parameter + ".a.weight"});
      state.tensors.push_back(a);
    }
    const at::Tensor b = at::empty({tensors_[i].size(0), rank}, options).set_requires_grad(true);
    state.rules.push_back({.file_name = kPrefix + module + ".lora_B.weight",
                           .parameter = rule.parameter + ".b.weight",
                           .part = rule.part,
                           .parts = rule.parts});
    state.tensors.push_back(b);
    layer->second->low_rank = LowRank{a, b, config.scale_of(module), config.lora_dropout};
    state.adapted.push_back(layer->second);
    state.transposed = rule.transposed;
  }
  if (state.adapted.empty()) return false;
  state.base_fingerprint = weights_fingerprint(base);
  // As PEFT keeps it: what "all" were does not depend on what a library takes for linear.
  // And it takes no layers_to_transform beside an expression.
  if (config.target_modules == "all-linear" ||
      (config.target_modules.is_string() && !config.layers_to_transform.empty()))
    state.config.target_modules = modules;
  adapter_ = std::move(state);
  return true;
}

void TransformerModel::merge_lora() {
  const c10::AutoGradMode no_grad(false);
  for (Linear* layer : adapter_->adapted) {
    const LowRank& maps = *layer->low_rank;
    const at::Tensor sum =
        layer->weight.to(maps.a.scalar_type()) + at::mm(maps.b, maps.a) * maps.scale;
    layer->weight.copy_(sum);
    layer->low_rank.reset();
  }
  adapter_.reset();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].set_requires_grad(plan_.tensors[i].trained);
  }
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : parameters()) {
    count += tensor.scalar_type() == at::kByte ? 2 * tensor.numel() : tensor.numel();  // int4
  }
  return count;
}

}  // namespace llmctl
