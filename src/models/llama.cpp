// "llama": Touvron et al., 2023, as Hugging Face's LlamaConfig and Llama classes write it.
#include <numeric>

#include "models/rope_keys.h"
#include "models/typed_adapter.h"

namespace llmctl {
namespace {

struct LlamaConfig : CommonConfig {
  static constexpr const char* kModelType = "llama";

  std::string model_type = kModelType;
  std::int64_t hidden_size = 4096, num_hidden_layers = 32, num_attention_heads = 32;
  std::optional<std::int64_t> intermediate_size, num_key_value_heads, head_dim;
  std::string hidden_act = "silu";
  std::int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false, attention_bias = false, mlp_bias = false;
  std::optional<double> attention_dropout, classifier_dropout;
  double rope_theta = 10000;
  Json rope_scaling, rope_parameters;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
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
    visit("attention_bias", self.attention_bias, "Biases in the maps of attention.");
    visit("mlp_bias", self.mlp_bias, "Biases in the maps of the feed-forward.");
    visit("attention_dropout", self.attention_dropout, "Dropout of attention probabilities.",
          Range<double>{0, 0.99});
    visit("classifier_dropout", self.classifier_dropout,
          "Dropout before a token classifier; 0.1 by default.", Range<double>{0, 0.99});
    visit("rope_theta", self.rope_theta, "Base of the rotary frequencies.", Range<double>{1, 1e15});
    visit("rope_scaling", self.rope_scaling,
          "How rotary positions are stretched: null, or an object with rope_type linear, dynamic, "
          "yarn or llama3, factor, and the type's own keys.");
    visit("rope_parameters", self.rope_parameters,
          "Newer spelling of rope_theta and rope_scaling in one object.");
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kCausalLm, "LlamaForCausalLM"},
            {HeadKind::kSequenceClassification, "LlamaForSequenceClassification"},
            {HeadKind::kTokenClassification, "LlamaForTokenClassification"},
            {HeadKind::kSpan, "LlamaForQuestionAnswering"},
            {HeadKind::kNone, "LlamaModel"}};
  }
  static std::vector<std::string> required_keys() {
    return {"hidden_size", "num_hidden_layers", "num_attention_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"attention_dropout", "classifier_dropout", "max_position_embeddings", "rope_theta",
            "rope_scaling",      "rope_parameters",    "initializer_range",       "pad_token_id",
            "bos_token_id",      "eos_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"quantization_config", nullptr},
            {"add_cross_attention", false},
            {"is_encoder_decoder", false},
            {"partial_rotary_factor", 1.0}};
  }

  void complete() {
    // Two thirds of the usual 4 D, because the gated form has three matrices, in steps that
    // products like.
    if (!intermediate_size) intermediate_size = (8 * hidden_size / 3 + 63) / 64 * 64;
    if (!num_key_value_heads) num_key_value_heads = num_attention_heads;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const;
};

void check(const LlamaConfig& config, const ConfigNode& node, std::int64_t kv_heads,
           std::int64_t head_size) {
  if (config.hidden_size % config.num_attention_heads != 0) {
    node.fail("num_attention_heads", concat("must divide hidden_size ", config.hidden_size,
                                            ", got ", config.num_attention_heads));
  }
  if (config.num_attention_heads % kv_heads != 0) {
    node.fail("num_key_value_heads", concat("must divide num_attention_heads ",
                                            config.num_attention_heads, ", got ", kv_heads));
  }
  if (head_size % 2 != 0) {
    node.fail("head_dim", concat("rotary embeddings need an even head size, got ", head_size));
  }
}

/// Names of the body's tensors, then the head's.
std::vector<TensorRule> tensor_rules(const ModelPlan& plan, const DecoderConfig& body) {
  std::vector<TensorRule> rules;
  const auto body_rule = [&](const std::string& file, const std::string& parameter) {
    rules.push_back({plan.prefix + file, "body." + parameter});
  };
  body_rule("embed_tokens.weight", "embedding.weight");
  for (std::int64_t i = 0; i < body.layers; ++i) {
    const std::string file = "layers." + std::to_string(i) + ".";
    const std::string layer = "layer" + std::to_string(i) + ".";
    const auto linear = [&](const char* theirs, const char* ours, bool bias) {
      body_rule(file + theirs + ".weight", layer + ours + ".weight");
      if (bias) body_rule(file + theirs + ".bias", layer + ours + ".bias");
    };
    linear("input_layernorm", "attention_norm", false);
    linear("self_attn.q_proj", "attention.query", body.attention.bias);
    linear("self_attn.k_proj", "attention.key", body.attention.bias);
    linear("self_attn.v_proj", "attention.value", body.attention.bias);
    linear("self_attn.o_proj", "attention.output", body.attention.output_bias);
    linear("post_attention_layernorm", "feed_forward_norm", false);
    linear("mlp.gate_proj", "feed_forward.gate", body.feed_forward.bias);
    linear("mlp.up_proj", "feed_forward.up", body.feed_forward.bias);
    linear("mlp.down_proj", "feed_forward.down", body.feed_forward.bias);
  }
  body_rule("norm.weight", "norm.weight");
  if (plan.lm && !plan.lm->tied) rules.push_back({"lm_head.weight", "head.weight"});
  if (plan.classifier) {
    const std::string name = plan.facts.head == HeadKind::kSpan ? "qa_outputs" : "score";
    rules.push_back({name + ".weight", "head.output.weight"});
    if (plan.classifier->bias) rules.push_back({name + ".bias", "head.output.bias"});
  }
  return rules;
}

ModelPlan LlamaConfig::plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
  const std::int64_t kv_heads = num_key_value_heads.value_or(num_attention_heads);
  const std::int64_t head_size =
      head_dim.value_or(std::max<std::int64_t>(1, hidden_size / num_attention_heads));
  check(*this, node, kv_heads, head_size);

  DecoderConfig body;
  body.vocab_size = vocab_size.value_or(32000);
  body.hidden_size = hidden_size;
  body.layers = num_hidden_layers;
  body.max_positions = max_position_embeddings;
  body.padding_id = pad_token_id.value_or(-1);
  if (body.padding_id >= body.vocab_size) {
    node.fail("pad_token_id",
              concat("must be below vocab_size ", body.vocab_size, ", got ", body.padding_id));
  }
  body.attention = {
      hidden_size,    num_attention_heads,          kv_heads, head_size, attention_bias,
      attention_bias, attention_dropout.value_or(0)};
  body.feed_forward = {hidden_size, intermediate_size.value_or(11008), /*gated=*/true, mlp_bias,
                       *find_activation(hidden_act)};
  body.norm = NormKind::kRms;
  body.norm_eps = rms_norm_eps;
  body.rope = read_rope(node, rope_theta, max_position_embeddings);

  ModelPlan plan;
  plan.facts = {.model_type = kModelType,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = hidden_size,
                .layers = num_hidden_layers,
                .heads = num_attention_heads,
                .kv_heads = kv_heads,
                .head_size = head_size,
                .max_positions = max_position_embeddings,
                .labels = labels,
                .causal = true};
  plan.prefix = head == HeadKind::kNone ? "" : head == HeadKind::kSpan ? "transformer." : "model.";
  plan.ignored = {"rotary_emb.inv_freq"};
  plan.initializer_range = initializer_range;
  if (head == HeadKind::kCausalLm) {
    plan.lm = LmHeadConfig{.hidden_size = hidden_size,
                           .vocab_size = body.vocab_size,
                           .tied = tie_word_embeddings,
                           .bias = false,
                           .transform = std::nullopt};
    if (tie_word_embeddings) plan.ignored.push_back("lm_head.weight");
  } else if (head == HeadKind::kSequenceClassification) {
    plan.classifier = ClassifierConfig{hidden_size, labels, false, /*bias=*/false, 0};
  } else if (head == HeadKind::kTokenClassification) {
    plan.classifier =
        ClassifierConfig{hidden_size, labels, false, true, classifier_dropout.value_or(0.1)};
  } else if (head == HeadKind::kSpan) {
    plan.classifier = ClassifierConfig{hidden_size, 2, false, true, 0};
  }
  plan.tensors = tensor_rules(plan, body);
  plan.body = body;
  return plan;
}

}  // namespace

const Adapter& llama_adapter() {
  static const TypedAdapter<LlamaConfig> adapter;
  return adapter;
}

}  // namespace llmctl
