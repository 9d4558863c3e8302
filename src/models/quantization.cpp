#include "models/quantization.h"

#include "base/error.h"

namespace llmctl {
namespace {

constexpr const char* kMethod = "llmctl";

}  // namespace

std::optional<Quantization> parse_quantization(const std::string& name) {
  if (name == "int8") return Quantization{kernels::Form::kInt8, 32};
  if (name == "int4") return Quantization{kernels::Form::kInt4, 32};
  return std::nullopt;
}

const char* quantization_name(const Quantization& quantization) {
  return quantization.weights == kernels::Form::kInt4 ? "int4" : "int8";
}

std::optional<Quantization> read_quantization(const ConfigNode& config) {
  if (!config.has(kQuantizationKey)) return std::nullopt;
  const Json& value = config.child(kQuantizationKey).value();
  if (value.is_null()) return std::nullopt;
  const auto text = [&](const char* key) {
    const bool there = value.is_object() && value.contains(key) && value[key].is_string();
    return there ? value[key].get<std::string>() : std::string();
  };
  std::string method = text("quant_method");
  if (method == kMethod) {
    auto quantization = parse_quantization(text("weights"));
    const Json group = value.value("group_size", Json(32));
    if (!quantization || (group != 32 && group != 64)) {
      config.fail(
          kQuantizationKey,
          concat("expected weights int8 or int4 and group_size 32 or 64, got ", value.dump()));
    }
    quantization->group_size = group.get<std::int64_t>();
    return quantization;
  }
  if (method.empty()) method = "an unnamed method";
  for (char& letter : method) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  config.fail(kQuantizationKey,
              concat("weights quantised by ", method,
                     " are not supported; get the model that they were made from (its page "
                     "names it; often the same name without -",
                     method, ")"));
}

Json quantization_json(const Quantization& quantization) {
  Json json = {{"quant_method", kMethod}, {"weights", quantization_name(quantization)}};
  if (quantization.weights == kernels::Form::kInt4) json["group_size"] = quantization.group_size;
  return json;
}

}  // namespace llmctl
