// What Llama and the families that follow it (Qwen2, Qwen3) have in common: keys of config.json,
// tensors' names, the plan.
#pragma once

#include "models/rope_keys.h"
#include "models/typed_adapter.h"

namespace llmctl {

struct LlamaFamilyConfig : CommonConfig {
  std::int64_t hidden_size = 4096, num_hidden_layers = 32, num_attention_heads = 32;
  std::optional<std::int64_t> intermediate_size, num_key_value_heads, head_dim;
  std::string hidden_act = "silu";
  std::int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  std::optional<double> attention_dropout, classifier_dropout;
  double rope_theta = 10000;
  Json rope_scaling, rope_parameters;

  template <class Self, class Visitor>
  static void family_fields(Self& self, Visitor& visit) {
    visit("hidden_size", self.hidden_size, "Width D of the model.",
          Range<std::int64_t>{1, 1 << 20});
    visit("num_hidden_layers", self.num_hidden_layers, "Blocks.", Range<std::int64_t>{1, 4096});
    visit("num_attention_heads", self.num_attention_heads, "Query heads H.",
          Range<std::int64_t>{1, 1 << 16});
    visit("num_key_value_heads", self.num_key_value_heads,
          "Key and value heads G, which groups of query heads share; H by default.",
          Range<std::int64_t>{1, 1 << 16});
    visit("head_dim", self.head_dim, "Size of a head; D / H by default.",
          Range<std::int64_t>{1, 1 << 16});
    visit("intermediate_size", self.intermediate_size,
          "Inner width of the feed-forward; in a new model 8/3 of D by default.",
          Range<std::int64_t>{1, 1 << 22});
    common_fields(self, visit);
    visit("hidden_act", self.hidden_act, "Activation of the gate.", OneOf{activation_names()});
    visit("max_position_embeddings", self.max_position_embeddings,
          "Longest sequence that the model is made for.", Range<std::int64_t>{1, 1 << 30});
    visit("rms_norm_eps", self.rms_norm_eps, "Added to the mean square in norms.",
          Range<double>{1e-20, 1});
    visit("tie_word_embeddings", self.tie_word_embeddings,
          "The output matrix is the embedding table.");
    visit("attention_dropout", self.attention_dropout, "Dropout of attention probabilities.",
          Range<double>{0, 0.99}, Change::kOnRequest);
    visit("classifier_dropout", self.classifier_dropout,
          "Dropout before a token classifier; 0.1 by default.", Range<double>{0, 0.99},
          Change::kOnRequest);
    visit("rope_theta", self.rope_theta, "Base of the rotary frequencies.", Range<double>{1, 1e15});
    visit("rope_scaling", self.rope_scaling,
          "How rotary positions are stretched: null, or an object with rope_type linear, dynamic, "
          "yarn or llama3, factor, and the type's own keys.",
          Kinds{"object or null"});
    visit("rope_parameters", self.rope_parameters,
          "Newer spelling of rope_theta and rope_scaling in one object.", Kinds{"object or null"});
  }

  /// "Llama" gives LlamaForCausalLM and so on.
  static std::vector<HeadClass> family_classes(const std::string& family);
  static std::vector<std::string> required_keys() {
    return {"hidden_size", "num_hidden_layers", "num_attention_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"attention_dropout", "classifier_dropout", "max_position_embeddings", "rope_theta",
            "rope_scaling",      "rope_parameters",    "initializer_range",       "pad_token_id",
            "bos_token_id",      "eos_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"add_cross_attention", false},
            {"is_encoder_decoder", false},
            {"partial_rotary_factor", 1.0}};
  }

  void complete() {
    // Two thirds of the usual 4 D, because the gated form has three matrices, in steps that
    // products like.
    if (!intermediate_size) intermediate_size = (8 * hidden_size / 3 + 63) / 64 * 64;
    if (!num_key_value_heads) num_key_value_heads = num_attention_heads;
  }
};

/// What tells the families apart.
struct LlamaSwitches {
  const char* model_type;
  bool query_bias = false;   ///< of the query, key and value maps
  bool output_bias = false;  ///< of attention's output map
  bool feed_forward_bias = false;
  bool head_norms = false;  ///< RMSNorm of queries and keys
  std::int64_t head_size = 0, default_intermediate_size = 0, default_vocab_size = 0;
  std::vector<std::int64_t> windows;  ///< as DecoderConfig
};

ModelPlan llama_plan(const LlamaFamilyConfig& config, const LlamaSwitches& switches,
                     const ConfigNode& node, HeadKind head, std::int64_t labels);

/// Keys of Qwen's sliding windows.
struct SlidingWindowConfig {
  bool use_sliding_window = false;
  std::optional<std::int64_t> sliding_window;
  std::int64_t max_window_layers = 28;
  Json layer_types;

  template <class Self, class Visitor>
  static void window_fields(Self& self, Visitor& visit) {
    visit("use_sliding_window", self.use_sliding_window,
          "Some layers look back sliding_window tokens only.");
    visit("sliding_window", self.sliding_window, "Tokens that such a layer sees, itself included.",
          Range<std::int64_t>{1, 1 << 30});
    visit("max_window_layers", self.max_window_layers, "Layers before the first such one.",
          Range<std::int64_t>{0, 1 << 20});
    visit("layer_types", self.layer_types,
          "full_attention or sliding_attention for each layer, instead of max_window_layers.",
          Kinds{"list of string or null"});
  }

  /// The windows of `layers` layers, as DecoderConfig has them. Fails for unknown layer types.
  std::vector<std::int64_t> windows(const ConfigNode& node, std::int64_t layers) const;
};

}  // namespace llmctl
