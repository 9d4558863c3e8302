#include "models/llama_family.h"

#include <algorithm>

namespace llmctl {
namespace {

void check(const LlamaFamilyConfig& config, const LlamaSwitches& switches, const ConfigNode& node,
           std::int64_t kv_heads) {
  if (config.num_attention_heads % kv_heads != 0) {
    node.fail("num_key_value_heads", concat("must divide num_attention_heads ",
                                            config.num_attention_heads, ", got ", kv_heads));
  }
  if (switches.head_size % 2 != 0) {
    node.fail("head_dim",
              concat("rotary embeddings need an even head size, got ", switches.head_size));
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
    linear("self_attn.q_proj", "attention.query", body.block.attention.bias);
    linear("self_attn.k_proj", "attention.key", body.block.attention.bias);
    linear("self_attn.v_proj", "attention.value", body.block.attention.bias);
    linear("self_attn.o_proj", "attention.output", body.block.attention.output_bias);
    if (body.block.attention.head_norm_eps) {
      body_rule(file + "self_attn.q_norm.weight", layer + "attention.query_norm.weight");
      body_rule(file + "self_attn.k_norm.weight", layer + "attention.key_norm.weight");
    }
    linear("post_attention_layernorm", "feed_forward_norm", false);
    linear("mlp.gate_proj", "feed_forward.gate", body.block.feed_forward.bias);
    linear("mlp.up_proj", "feed_forward.up", body.block.feed_forward.bias);
    linear("mlp.down_proj", "feed_forward.down", body.block.feed_forward.bias);
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

}  // namespace

std::vector<HeadClass> LlamaFamilyConfig::family_classes(const std::string& family) {
  return {{HeadKind::kCausalLm, family + "ForCausalLM"},
          {HeadKind::kSequenceClassification, family + "ForSequenceClassification"},
          {HeadKind::kTokenClassification, family + "ForTokenClassification"},
          {HeadKind::kSpan, family + "ForQuestionAnswering"},
          {HeadKind::kNone, family + "Model"}};
}

ModelPlan llama_plan(const LlamaFamilyConfig& config, const LlamaSwitches& switches,
                     const ConfigNode& node, HeadKind head, std::int64_t labels) {
  const std::int64_t kv_heads = config.num_key_value_heads.value_or(config.num_attention_heads);
  check(config, switches, node, kv_heads);

  DecoderConfig body;
  body.vocab_size = config.vocab_size.value_or(switches.default_vocab_size);
  body.hidden_size = config.hidden_size;
  body.layers = config.num_hidden_layers;
  body.max_positions = config.max_position_embeddings;
  body.padding_id = config.pad_token_id.value_or(-1);
  if (body.padding_id >= body.vocab_size) {
    node.fail("pad_token_id",
              concat("must be below vocab_size ", body.vocab_size, ", got ", body.padding_id));
  }
  body.block.attention = {.hidden_size = config.hidden_size,
                          .heads = config.num_attention_heads,
                          .kv_heads = kv_heads,
                          .head_size = switches.head_size,
                          .bias = switches.query_bias,
                          .output_bias = switches.output_bias,
                          .dropout = config.attention_dropout.value_or(0),
                          .head_norm_eps = std::nullopt,
                          .scale = std::nullopt};
  if (switches.head_norms) body.block.attention.head_norm_eps = config.rms_norm_eps;
  body.windows = switches.windows;
  body.block.feed_forward = {
      .hidden_size = config.hidden_size,
      .intermediate_size = config.intermediate_size.value_or(switches.default_intermediate_size),
      .gated = true,
      .bias = switches.feed_forward_bias,
      .activation = *find_activation(config.hidden_act),
      .dropout = 0};
  body.block.norm = NormKind::kRms;
  body.block.norm_eps = config.rms_norm_eps;
  body.block.norm_first = true;
  body.rope = read_rope(node, config.rope_theta, config.max_position_embeddings);

  ModelPlan plan;
  plan.facts = {.model_type = switches.model_type,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = config.hidden_size,
                .layers = config.num_hidden_layers,
                .heads = config.num_attention_heads,
                .kv_heads = kv_heads,
                .head_size = switches.head_size,
                .max_positions = config.max_position_embeddings,
                .labels = labels,
                .causal = true};
  plan.prefix = head == HeadKind::kNone ? "" : head == HeadKind::kSpan ? "transformer." : "model.";
  plan.ignored = {"rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"};
  plan.initializer_range = config.initializer_range;
  if (head == HeadKind::kCausalLm) {
    plan.lm = LmHeadConfig{.hidden_size = config.hidden_size,
                           .vocab_size = body.vocab_size,
                           .tied = config.tie_word_embeddings,
                           .bias = false,
                           .transform = std::nullopt};
    plan.output_matrix = "lm_head.weight";
  } else if (head == HeadKind::kSequenceClassification) {
    plan.classifier = ClassifierConfig{config.hidden_size, labels, false, /*bias=*/false, 0};
  } else if (head == HeadKind::kTokenClassification) {
    plan.classifier = ClassifierConfig{config.hidden_size, labels, false, true,
                                       config.classifier_dropout.value_or(0.1)};
  } else if (head == HeadKind::kSpan) {
    plan.classifier = ClassifierConfig{config.hidden_size, 2, false, true, 0};
  }
  plan.tensors = tensor_rules(plan, body);
  plan.body = body;
  return plan;
}

std::vector<std::int64_t> SlidingWindowConfig::windows(const ConfigNode& node,
                                                       std::int64_t layers) const {
  const std::int64_t window = use_sliding_window ? sliding_window.value_or(4096) : 0;
  std::vector<std::int64_t> result(static_cast<std::size_t>(layers), 0);
  if (layer_types.is_null()) {
    for (std::int64_t i = max_window_layers; i < layers; ++i) {
      result[static_cast<std::size_t>(i)] = window;
    }
    return result;
  }
  if (!layer_types.is_array() || layer_types.size() != result.size()) {
    node.fail("layer_types", concat("expected a list of ", layers, " types, one for each layer"));
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Json& type = layer_types[i];
    if (type == "full_attention") continue;
    if (type != "sliding_attention") {
      node.fail("layer_types", concat(type.dump(),
                                      " is not supported, only \"full_attention\" and "
                                      "\"sliding_attention\""));
    }
    if (window == 0) {
      node.fail("layer_types", "sliding_attention without use_sliding_window has no width");
    }
    result[i] = window;
  }
  return result;
}

}  // namespace llmctl
