// "llama": Touvron et al., 2023, as Hugging Face's LlamaConfig and Llama classes write it.
#include "models/llama_family.h"

namespace llmctl {
namespace {

struct LlamaConfig : LlamaFamilyConfig {
  static constexpr const char* kModelType = "llama";

  std::string model_type = kModelType;
  bool attention_bias = false, mlp_bias = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    family_fields(self, visit);
    visit("attention_bias", self.attention_bias, "Biases in the maps of attention.");
    visit("mlp_bias", self.mlp_bias, "Biases in the maps of the feed-forward.");
  }

  static std::vector<HeadClass> classes() { return family_classes("Llama"); }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
    if (hidden_size % num_attention_heads != 0) {
      node.fail("num_attention_heads",
                concat("must divide hidden_size ", hidden_size, ", got ", num_attention_heads));
    }
    const LlamaSwitches switches{.model_type = kModelType,
                                 .query_bias = attention_bias,
                                 .output_bias = attention_bias,
                                 .feed_forward_bias = mlp_bias,
                                 .head_norms = false,
                                 .head_size = head_dim.value_or(hidden_size / num_attention_heads),
                                 .default_intermediate_size = 11008,
                                 .default_vocab_size = 32000,
                                 .windows = {}};
    return llama_plan(*this, switches, node, head, labels);
  }
};

}  // namespace

const Adapter& llama_adapter() {
  static const TypedAdapter<LlamaConfig> adapter;
  return adapter;
}

}  // namespace llmctl
