// "qwen2": Yang et al., 2024, as Hugging Face's Qwen2Config and Qwen2 classes write it: Llama with
// biases of queries, keys and values, and windows in some layers.
#include "models/llama_family.h"

namespace llmctl {
namespace {

struct Qwen2Config : LlamaFamilyConfig, SlidingWindowConfig {
  static constexpr const char* kModelType = "qwen2";

  std::string model_type = kModelType;
  Qwen2Config() { max_position_embeddings = 32768; }

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    family_fields(self, visit);
    window_fields(self, visit);
  }

  static std::vector<HeadClass> classes() { return family_classes("Qwen2"); }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
    if (!head_dim && hidden_size % num_attention_heads != 0) {
      node.fail("num_attention_heads",
                concat("must divide hidden_size ", hidden_size, ", got ", num_attention_heads));
    }
    const LlamaSwitches switches{.model_type = kModelType,
                                 .query_bias = true,
                                 .output_bias = false,
                                 .feed_forward_bias = false,
                                 .head_norms = false,
                                 .head_size = head_dim.value_or(hidden_size / num_attention_heads),
                                 .default_intermediate_size = 22016,
                                 .default_vocab_size = 151936,
                                 .windows = windows(node, num_hidden_layers)};
    return llama_plan(*this, switches, node, head, labels);
  }
};

}  // namespace

const Adapter& qwen2_adapter() {
  static const TypedAdapter<Qwen2Config> adapter;
  return adapter;
}

}  // namespace llmctl
