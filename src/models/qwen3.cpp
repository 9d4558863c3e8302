// "qwen3": Yang et al., 2025, as Hugging Face's Qwen3Config and Qwen3 classes write it: Llama with
// normed queries and keys, heads of a size of their own, and windows in some layers.
#include "models/llama_family.h"

namespace llmctl {
namespace {

struct Qwen3Config : LlamaFamilyConfig, SlidingWindowConfig {
  static constexpr const char* kModelType = "qwen3";

  std::string model_type = kModelType;
  bool attention_bias = false;
  Qwen3Config() { max_position_embeddings = 32768; }

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    family_fields(self, visit);
    visit("attention_bias", self.attention_bias, "Biases in the maps of attention.");
    window_fields(self, visit);
  }

  static std::vector<HeadClass> classes() { return family_classes("Qwen3"); }

  void complete() {
    LlamaFamilyConfig::complete();
    if (!head_dim) head_dim = std::max<std::int64_t>(1, hidden_size / num_attention_heads);
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
    const LlamaSwitches switches{.model_type = kModelType,
                                 .query_bias = attention_bias,
                                 .output_bias = attention_bias,
                                 .feed_forward_bias = false,
                                 .head_norms = true,
                                 .head_size = head_dim.value_or(128),
                                 .default_intermediate_size = 22016,
                                 .default_vocab_size = 151936,
                                 .windows = windows(node, num_hidden_layers)};
    return llama_plan(*this, switches, node, head, labels);
  }
};

}  // namespace

const Adapter& qwen3_adapter() {
  static const TypedAdapter<Qwen3Config> adapter;
  return adapter;
}

}  // namespace llmctl
