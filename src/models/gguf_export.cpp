#include "models/gguf_export.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/gguf_file.h"
#include "models/gguf_layout.h"
#include "models/transformer_model.h"

namespace llmctl {
namespace {

/// llama.cpp's name of a whole file's type.
std::int64_t file_type(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return 0;
    case GgmlType::kF16:
      return 1;
    case GgmlType::kQ4_0:
      return 2;
    case GgmlType::kQ8_0:
      return 7;
    case GgmlType::kBF16:
      return 32;
  }
  return 0;
}

/// Makes the tensors of a file one after the other.
class Tensors {
 public:
  Tensors(const TransformerModel& model, GgmlType type)
      : model_(model), type_(type), factors_(rope_factors(model.plan())) {
    const ModelPlan& plan = model.plan();
    if (!factors_.empty()) {
      specs_.push_back(
          {kRopeFactors, GgmlType::kF32, {static_cast<std::int64_t>(factors_.size())}});
      rules_.push_back(plan.tensors.size());
    }
    for (std::size_t i = 0; i < plan.tensors.size();
         i += static_cast<std::size_t>(plan.tensors[i].parts)) {
      const TensorRule& rule = plan.tensors[i];
      const auto place = place_in_gguf(plan.facts.model_type, rule.file_name);
      require(place.has_value(), ErrorCode::kInternal, rule.file_name, ": no place in GGUF");
      auto shape = file_shape(rule, model.tensors()[i].sizes().vec());
      if (place->transposed) std::reverse(shape.begin(), shape.end());
      specs_.push_back({place->name, type_of(place->name, shape), std::move(shape)});
      rules_.push_back(i);
    }
  }

  const std::vector<GgufTensorSpec>& specs() const { return specs_; }

  const void* bytes(std::size_t index) {
    const GgufTensorSpec& spec = specs_[index];
    if (spec.name == kRopeFactors) return factors_.data();
    const at::Tensor values = this->values(index);
    bytes_.resize(spec.bytes());
    const std::size_t lost = encode_ggml(spec.type, values.const_data_ptr<float>(),
                                         static_cast<std::size_t>(values.numel()), bytes_.data());
    require(lost == 0, ErrorCode::kData, spec.name, ": ", lost,
            lost == 1 ? " value is" : " values are", " beyond ", ggml_type_info(spec.type).name,
            "; write them as bf16 or f32");
    return bytes_.data();
  }

 private:
  GgmlType type_of(const std::string& name, const std::vector<std::int64_t>& shape) const {
    if (shape.size() < 2 || name == "position_embd.weight") return GgmlType::kF32;
    const auto fits = [&](GgmlType type) {
      return shape.back() % static_cast<std::int64_t>(ggml_type_info(type).block_values) == 0;
    };
    if (!fits(type_)) return GgmlType::kF16;
    // Errors of the output go into the logits as they are; llama.cpp's quantiser spares it
    // likewise.
    const char* const output = model_.plan().lm->tied ? "token_embd.weight" : "output.weight";
    return type_ == GgmlType::kQ4_0 && name == output ? GgmlType::kQ8_0 : type_;
  }

  /// fp32, contiguous, as GGUF has it.
  at::Tensor values(std::size_t index) const {
    const c10::AutoGradMode no_grad(false);
    const ModelPlan& plan = model_.plan();
    const std::size_t first = rules_[index];
    const auto place = place_in_gguf(plan.facts.model_type, plan.tensors[first].file_name);
    at::Tensor tensor = tensor_of_file(plan.tensors, model_.tensors(), first).detach();
    if (place->transposed) tensor = tensor.t();
    if (place->rows != GgufPlace::Rows::kSame) {
      const bool query = place->rows == GgufPlace::Rows::kQuery;
      tensor = neighbouring_rows(tensor, query ? plan.facts.heads : plan.facts.kv_heads);
    }
    return tensor.to(at::kCPU, at::kFloat).contiguous();
  }

  const TransformerModel& model_;
  GgmlType type_;
  std::vector<float> factors_;
  std::vector<GgufTensorSpec> specs_;
  std::vector<std::size_t> rules_;  // beside specs_: the first of a tensor's rules
  std::vector<std::byte> bytes_;    // of the last one asked for
};

}  // namespace

GgufSummary write_gguf_model(const std::filesystem::path& file, const Model& model,
                             const Tokenizer& tokenizer, const std::string& chat_template,
                             const GgufOptions& options) {
  const auto& transformer = dynamic_cast<const TransformerModel&>(model);
  const ModelPlan& plan = transformer.plan();
  GgufMetadata metadata = {{"general.architecture", GgufValue::string(plan.facts.model_type)},
                           {"general.type", GgufValue::string("model")},
                           {"general.name", GgufValue::string(options.name)},
                           {"general.file_type", GgufValue::u32(file_type(options.type))},
                           {"general.quantization_version", GgufValue::u32(2)}};
  const auto append = [&](GgufMetadata more) {
    std::move(more.begin(), more.end(), std::back_inserter(metadata));
  };
  append(gguf_metadata(plan));
  GgufSummary summary;
  GgmlVocabulary vocabulary = ggml_vocabulary(tokenizer, summary.notes);
  vocabulary.chat_template = chat_template;
  append(vocabulary_metadata(std::move(vocabulary), plan.facts.vocab_size, options.ends,
                             summary.notes));

  Tensors tensors(transformer, options.type);
  std::size_t narrow = 0;
  for (const GgufTensorSpec& spec : tensors.specs()) {
    summary.bytes += spec.bytes();
    ++summary.types[ggml_type_info(spec.type).name];
    const bool quantised = ggml_type_info(options.type).block_values > 1;
    narrow += quantised && spec.type == GgmlType::kF16;
  }
  if (narrow > 0) {
    summary.notes.push_back(concat(narrow, narrow == 1 ? " matrix has" : " matrices have",
                                   " rows that are no blocks of 32 values: written as F16"));
  }
  const auto fetch = [&](std::size_t i) { return tensors.bytes(i); };
  if (options.dry_run) {
    for (std::size_t i = 0; i < tensors.specs().size(); ++i) fetch(i);
  } else {
    write_gguf(file, metadata, tensors.specs(), fetch);
  }
  return summary;
}

}  // namespace llmctl
