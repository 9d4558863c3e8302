#include "models/transformer_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "nn/tensor_file.h"

namespace llmctl {
namespace {

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
                                   at::ScalarType dtype)
    : plan_(std::move(plan)), config_(std::move(config)), generation_(std::move(generation)) {
  Parts parts = build(plan_, at::TensorOptions().dtype(dtype));
  body_ = std::move(parts.body);
  lm_ = std::move(parts.lm);
  classifier_ = std::move(parts.classifier);
  tensors_ = std::move(parts.tensors);
}

std::vector<std::pair<std::string, at::Tensor>> TransformerModel::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (plan_.tensors[i].trained) parameters.emplace_back(plan_.tensors[i].name(), tensors_[i]);
  }
  return parameters;
}

std::vector<std::pair<std::string, at::Tensor>> TransformerModel::in_file_layout(
    const std::vector<at::Tensor>& values) const {
  std::vector<TensorRule> rules;
  std::copy_if(plan_.tensors.begin(), plan_.tensors.end(), std::back_inserter(rules),
               [](const TensorRule& rule) { return rule.trained; });
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
  if (lm_) return lm_->forward(rows, body_->word_embeddings(), context);
  require(classifier_ != nullptr, ErrorCode::kInternal, plan_.facts.architecture, " has no head");
  return classifier_->forward(rows, context);
}

at::Tensor TransformerModel::lm_loss(const at::Tensor& rows, const at::Tensor& labels,
                                     const Context& context, at::Tensor* per_row) {
  require(lm_ != nullptr, ErrorCode::kInternal, plan_.facts.architecture,
          " has no language model's head");
  return lm_->loss(rows, body_->word_embeddings(), labels, context, per_row);
}

at::Tensor TransformerModel::pooled_position(const Sequence& input) const {
  const auto options = input.ids.options();
  if (!plan_.facts.causal) return at::zeros({input.rows()}, options);
  if (!input.documents.defined()) return at::full({input.rows()}, input.length() - 1, options);
  return (input.documents.ge(0).sum(1) - 1).clamp_min(0);
}

bool TransformerModel::decay_exempt(const std::string& name) const {
  for (const auto& rule : plan_.tensors) {
    if (rule.name() == name) return parameter_kind(rule.parameter) != ParameterKind::kMatrix;
  }
  fail(ErrorCode::kInternal, "no parameter ", name);
}

void TransformerModel::to(const at::Device& device) {
  const c10::AutoGradMode no_grad(false);
  for (at::Tensor& tensor : tensors_) tensor.set_data(tensor.to(device));
}

std::unique_ptr<KvCache> TransformerModel::make_cache(std::int64_t rows, std::int64_t slots,
                                                      const Context& context) const {
  require(plan_.facts.causal, ErrorCode::kInternal, plan_.facts.architecture, " has no cache");
  return std::make_unique<KvCache>(plan_.facts.layers, rows, plan_.facts.kv_heads,
                                   plan_.facts.head_size, slots,
                                   attention_dtype(context.compute, device()), device());
}

void TransformerModel::save(const std::filesystem::path& directory, at::ScalarType dtype,
                            std::uint64_t max_shard_bytes) const {
  make_directories(directory);
  std::vector<TensorSource> sources;
  for (std::size_t i = 0; i < tensors_.size();) {
    const TensorRule& rule = plan_.tensors[i];
    sources.push_back({rule.file_name, file_shape(rule, tensors_[i].sizes().vec()),
                       [this, i] { return tensor_of_file(plan_.tensors, tensors_, i); }});
    i += static_cast<std::size_t>(rule.parts);
  }
  for (const auto& [name, tensor] : carried_) {
    sources.push_back({name, tensor.sizes().vec(), [&held = tensor] { return held; }});
  }
  write_model_files(directory, sources, dtype, max_shard_bytes);

  Json config = config_;
  config.erase("dtype");
  config["torch_dtype"] = dtype_text(dtype);
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

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : parameters()) count += tensor.numel();
  return count;
}

}  // namespace llmctl
