// The list of model types.
#include "models/adapter.h"

namespace llmctl {

const std::vector<const Adapter*>& adapters() {
  static const std::vector<const Adapter*> list = {
      &llama_adapter(), &qwen2_adapter(),   &qwen3_adapter(),  &gpt2_adapter(),
      &bert_adapter(),  &roberta_adapter(), &marian_adapter(), &t5_adapter()};
  return list;
}

const Adapter* find_adapter(const std::string& model_type) {
  for (const Adapter* adapter : adapters()) {
    if (adapter->model_type() == model_type) return adapter;
  }
  return nullptr;
}

std::vector<std::string> model_types() {
  std::vector<std::string> names;
  for (const Adapter* adapter : adapters()) names.push_back(adapter->model_type());
  return names;
}

namespace {

const Adapter& known_adapter(const std::string& model_type) {
  const Adapter* const adapter = find_adapter(model_type);
  require(adapter != nullptr, ErrorCode::kUsage, "no model type '", model_type, "'",
          did_you_mean(model_type, model_types()));
  return *adapter;
}

}  // namespace

Json model_schema(const std::string& model_type) {
  return known_adapter(model_type).schema();
}

std::vector<FieldDoc> describe_model(const std::string& model_type) {
  return known_adapter(model_type).describe();
}

}  // namespace llmctl
