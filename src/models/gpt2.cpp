// "gpt2": Radford et al., 2019, as Hugging Face's GPT2Config and GPT2 classes write it.
#include <cmath>

#include "models/typed_adapter.h"

namespace llmctl {
namespace {

struct Gpt2Config : CommonConfig {
  static constexpr const char* kModelType = "gpt2";

  std::string model_type = kModelType;
  std::int64_t n_embd = 768, n_layer = 12, n_head = 12, n_positions = 1024;
  std::optional<std::int64_t> n_inner;
  std::string activation_function = "gelu_new";
  double embd_pdrop = 0.1, attn_pdrop = 0.1, resid_pdrop = 0.1;
  std::optional<double> classifier_dropout;
  double layer_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true, scale_attn_weights = true;
  bool scale_attn_by_inverse_layer_idx = false, reorder_and_upcast_attn = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    visit("n_embd", self.n_embd, "Width D of the model.", Range<std::int64_t>{1, 1 << 20});
    visit("n_layer", self.n_layer, "Blocks.", Range<std::int64_t>{1, 4096});
    visit("n_head", self.n_head, "Heads of attention.", Range<std::int64_t>{1, 1 << 16});
    visit("n_inner", self.n_inner, "Inner width of the feed-forward; 4 D by default.",
          Range<std::int64_t>{1, 1 << 22});
    visit("n_positions", self.n_positions, "Longest sequence: each position has a vector.",
          Range<std::int64_t>{1, 1 << 24});
    common_fields(self, visit);
    visit("activation_function", self.activation_function, "Activation of the feed-forward.",
          OneOf{activation_names()});
    visit("embd_pdrop", self.embd_pdrop, "Dropout of the embeddings.", Range<double>{0, 0.99});
    visit("attn_pdrop", self.attn_pdrop, "Dropout of attention probabilities.",
          Range<double>{0, 0.99});
    visit("resid_pdrop", self.resid_pdrop, "Dropout of what blocks add.", Range<double>{0, 0.99});
    visit("classifier_dropout", self.classifier_dropout,
          "Dropout before a token classifier; 0.1 by default.", Range<double>{0, 0.99});
    visit("layer_norm_epsilon", self.layer_norm_epsilon, "Added to the variance in norms.",
          Range<double>{1e-20, 1});
    visit("tie_word_embeddings", self.tie_word_embeddings,
          "The output matrix is the embedding table.");
    visit("scale_attn_weights", self.scale_attn_weights,
          "Attention divides by the square root of the head's size.");
    visit("scale_attn_by_inverse_layer_idx", self.scale_attn_by_inverse_layer_idx,
          "Attention of layer i divides by i + 1 as well.");
    visit("reorder_and_upcast_attn", self.reorder_and_upcast_attn,
          "Attention scores in fp32; they are here anyway.");
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kCausalLm, "GPT2LMHeadModel"},
            {HeadKind::kSequenceClassification, "GPT2ForSequenceClassification"},
            {HeadKind::kTokenClassification, "GPT2ForTokenClassification"},
            {HeadKind::kSpan, "GPT2ForQuestionAnswering"},
            {HeadKind::kNone, "GPT2Model"}};
  }
  static std::vector<std::string> required_keys() { return {"n_embd", "n_layer", "n_head"}; }
  static std::vector<std::string> free_keys() {
    return {"embd_pdrop",        "attn_pdrop",   "resid_pdrop",  "classifier_dropout",
            "initializer_range", "bos_token_id", "eos_token_id", "pad_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"add_cross_attention", false}, {"is_encoder_decoder", false}};
  }

  void complete() {}

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const;
};

std::vector<TensorRule> tensor_rules(const ModelPlan& plan, const DecoderConfig& body) {
  std::vector<TensorRule> rules;
  const auto rule = [&](const std::string& file, const std::string& parameter,
                        bool transposed = false, std::int64_t part = 0, std::int64_t parts = 1) {
    rules.push_back({plan.prefix + file, "body." + parameter, transposed, part, parts});
  };
  const auto norm = [&](const std::string& file, const std::string& parameter) {
    for (const char* part : {".weight", ".bias"}) rule(file + part, parameter + part);
  };
  // Conv1D keeps its matrix as [inputs, outputs].
  const auto conv = [&](const std::string& file, const std::string& parameter) {
    rule(file + ".weight", parameter + ".weight", /*transposed=*/true);
    rule(file + ".bias", parameter + ".bias");
  };
  rule("wte.weight", "embedding.weight");
  rule("wpe.weight", "positions.weight");
  for (std::int64_t i = 0; i < body.layers; ++i) {
    const std::string file = concat("h.", i, "."), layer = concat("layer", i, ".");
    norm(file + "ln_1", layer + "attention_norm");
    const std::vector<std::string> maps = {"query", "key", "value"};
    for (const bool bias : {false, true}) {
      const std::string part = bias ? ".bias" : ".weight";
      for (std::size_t k = 0; k < maps.size(); ++k) {
        rule(file + "attn.c_attn" + part, layer + "attention." + maps[k] + part,
             /*transposed=*/!bias, static_cast<std::int64_t>(k),
             static_cast<std::int64_t>(maps.size()));
      }
    }
    conv(file + "attn.c_proj", layer + "attention.output");
    norm(file + "ln_2", layer + "feed_forward_norm");
    conv(file + "mlp.c_fc", layer + "feed_forward.up");
    conv(file + "mlp.c_proj", layer + "feed_forward.down");
  }
  norm("ln_f", "norm");
  if (plan.lm && !plan.lm->tied) rules.push_back({"lm_head.weight", "head.weight"});
  if (plan.classifier) {
    const std::string name = plan.facts.head == HeadKind::kSpan                     ? "qa_outputs"
                             : plan.facts.head == HeadKind::kSequenceClassification ? "score"
                                                                                    : "classifier";
    rules.push_back({name + ".weight", "head.output.weight"});
    if (plan.classifier->bias) rules.push_back({name + ".bias", "head.output.bias"});
  }
  return rules;
}

ModelPlan Gpt2Config::plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
  if (n_embd % n_head != 0) {
    node.fail("n_head", concat("must divide n_embd ", n_embd, ", got ", n_head));
  }
  const std::int64_t head_size = n_embd / n_head;
  DecoderConfig body;
  body.vocab_size = vocab_size.value_or(50257);
  body.hidden_size = n_embd;
  body.layers = n_layer;
  body.max_positions = n_positions;
  body.block.attention = {.hidden_size = n_embd,
                          .heads = n_head,
                          .kv_heads = n_head,
                          .head_size = head_size,
                          .bias = true,
                          .output_bias = true,
                          .dropout = attn_pdrop,
                          .head_norm_eps = std::nullopt,
                          .scale = std::nullopt};
  if (!scale_attn_weights) body.block.attention.scale = 1.0;
  body.scale_by_layer = scale_attn_by_inverse_layer_idx;
  body.block.feed_forward = {.hidden_size = n_embd,
                             .intermediate_size = n_inner.value_or(4 * n_embd),
                             .gated = false,
                             .bias = true,
                             .activation = *find_activation(activation_function),
                             .dropout = 0};
  body.block.norm = NormKind::kLayer;
  body.block.norm_first = true;
  body.block.norm_eps = layer_norm_epsilon;
  body.embedding_dropout = embd_pdrop;
  body.block.dropout = resid_pdrop;

  ModelPlan plan;
  plan.facts = {.model_type = kModelType,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = n_embd,
                .layers = n_layer,
                .heads = n_head,
                .kv_heads = n_head,
                .head_size = head_size,
                .max_positions = n_positions,
                .labels = labels,
                .causal = true};
  plan.prefix = head == HeadKind::kNone ? "" : "transformer.";
  // Masks that older files have as tensors.
  plan.ignored = {".attn.bias", ".attn.masked_bias"};
  plan.initializer_range = initializer_range;
  plan.initialization = Initialization::kScaledResidual;
  if (head == HeadKind::kCausalLm) {
    plan.lm = LmHeadConfig{.hidden_size = n_embd,
                           .vocab_size = body.vocab_size,
                           .tied = tie_word_embeddings,
                           .bias = false,
                           .transform = std::nullopt};
    plan.output_matrix = "lm_head.weight";
  } else if (head != HeadKind::kNone) {
    ClassifierConfig classifier{.hidden_size = n_embd,
                                .outputs = head == HeadKind::kSpan ? 2 : labels,
                                .pooler = false,
                                .bias = head != HeadKind::kSequenceClassification,
                                .dropout = 0,
                                .dropout_before_pooler = false};
    if (head == HeadKind::kTokenClassification) {
      classifier.dropout = classifier_dropout.value_or(0.1);
    }
    plan.classifier = classifier;
  }
  plan.tensors = tensor_rules(plan, body);
  plan.body = body;
  return plan;
}

}  // namespace

const Adapter& gpt2_adapter() {
  static const TypedAdapter<Gpt2Config> adapter;
  return adapter;
}

}  // namespace llmctl
