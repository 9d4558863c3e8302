// "bert": Devlin et al., 2019, as Hugging Face's BertConfig and Bert classes write it.
#include "models/typed_adapter.h"

namespace llmctl {
namespace {

struct BertConfig : CommonConfig {
  static constexpr const char* kModelType = "bert";

  std::string model_type = kModelType;
  std::int64_t hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12;
  std::optional<std::int64_t> intermediate_size;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1, attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;
  std::int64_t max_position_embeddings = 512, type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  bool tie_word_embeddings = true, sinusoidal_pos_embds = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    visit("hidden_size", self.hidden_size, "Width D of the model.",
          Range<std::int64_t>{1, 1 << 20});
    visit("num_hidden_layers", self.num_hidden_layers, "Blocks.", Range<std::int64_t>{1, 4096});
    visit("num_attention_heads", self.num_attention_heads, "Heads of attention.",
          Range<std::int64_t>{1, 1 << 16});
    visit("intermediate_size", self.intermediate_size,
          "Inner width of the feed-forward; in a new model 4 D by default.",
          Range<std::int64_t>{1, 1 << 22});
    common_fields(self, visit);
    visit("hidden_act", self.hidden_act, "Activation of the feed-forward.",
          OneOf{activation_names()});
    visit("hidden_dropout_prob", self.hidden_dropout_prob,
          "Dropout of embeddings and of what blocks add.", Range<double>{0, 0.99});
    visit("attention_probs_dropout_prob", self.attention_probs_dropout_prob,
          "Dropout of attention probabilities.", Range<double>{0, 0.99});
    visit("classifier_dropout", self.classifier_dropout,
          "Dropout before a classifier; hidden_dropout_prob by default.", Range<double>{0, 0.99});
    visit("max_position_embeddings", self.max_position_embeddings,
          "Longest sequence: each position has a vector.", Range<std::int64_t>{1, 1 << 24});
    visit("sinusoidal_pos_embds", self.sinusoidal_pos_embds,
          "A new model's positions start as sinusoids instead of noise and are trained from there; "
          "small models learn much sooner with it. The name is DistilBERT's.");
    visit("type_vocab_size", self.type_vocab_size, "Kinds of segments.",
          Range<std::int64_t>{1, 1 << 16});
    visit("layer_norm_eps", self.layer_norm_eps, "Added to the variance in norms.",
          Range<double>{1e-20, 1});
    visit("tie_word_embeddings", self.tie_word_embeddings,
          "The output matrix of the masked LM is the embedding table.");
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kMaskedLm, "BertForMaskedLM"},
            {HeadKind::kMaskedLm, "BertForPreTraining"},
            {HeadKind::kSpan, "BertForQuestionAnswering"},
            {HeadKind::kSequenceClassification, "BertForSequenceClassification"},
            {HeadKind::kTokenClassification, "BertForTokenClassification"},
            {HeadKind::kNone, "BertModel"}};
  }
  static std::vector<std::string> required_keys() {
    return {"hidden_size", "num_hidden_layers", "num_attention_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"hidden_dropout_prob",  "attention_probs_dropout_prob",
            "classifier_dropout",   "initializer_range",
            "sinusoidal_pos_embds", "bos_token_id",
            "eos_token_id",         "pad_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"quantization_config", nullptr},
            {"is_decoder", false},
            {"add_cross_attention", false},
            {"is_encoder_decoder", false},
            {"position_embedding_type", "absolute"}};
  }

  void complete() {
    if (!intermediate_size) intermediate_size = 4 * hidden_size;
    if (!pad_token_id) pad_token_id = 0;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const;
};

std::vector<TensorRule> tensor_rules(const ModelPlan& plan, const EncoderConfig& body) {
  std::vector<TensorRule> rules;
  const auto pair = [&](const std::string& file, const std::string& parameter) {
    for (const char* part : {".weight", ".bias"}) rules.push_back({file + part, parameter + part});
  };
  const auto body_pair = [&](const std::string& file, const std::string& parameter) {
    pair(plan.prefix + file, "body." + parameter);
  };
  const auto table = [&](const char* file, const char* parameter) {
    rules.push_back({concat(plan.prefix, "embeddings.", file, "_embeddings.weight"),
                     concat("body.", parameter, ".weight")});
  };
  table("word", "words");
  table("position", "positions");
  table("token_type", "types");
  body_pair("embeddings.LayerNorm", "embedding_norm");
  for (std::int64_t i = 0; i < body.layers; ++i) {
    const std::string file = concat("encoder.layer.", i, "."), layer = concat("layer", i, ".");
    body_pair(file + "attention.self.query", layer + "attention.query");
    body_pair(file + "attention.self.key", layer + "attention.key");
    body_pair(file + "attention.self.value", layer + "attention.value");
    body_pair(file + "attention.output.dense", layer + "attention.output");
    body_pair(file + "attention.output.LayerNorm", layer + "attention_norm");
    body_pair(file + "intermediate.dense", layer + "feed_forward.up");
    body_pair(file + "output.dense", layer + "feed_forward.down");
    body_pair(file + "output.LayerNorm", layer + "feed_forward_norm");
  }
  if (plan.lm) {
    rules.push_back({"cls.predictions.bias", "head.bias"});
    pair("cls.predictions.transform.dense", "head.dense");
    pair("cls.predictions.transform.LayerNorm", "head.norm");
    if (!plan.lm->tied) rules.push_back({"cls.predictions.decoder.weight", "head.weight"});
  }
  if (plan.classifier) {
    if (plan.classifier->pooler) pair(plan.prefix + "pooler.dense", "head.pooler");
    pair(plan.facts.head == HeadKind::kSpan ? "qa_outputs" : "classifier", "head.output");
  }
  return rules;
}

ModelPlan BertConfig::plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
  if (hidden_size % num_attention_heads != 0) {
    node.fail("num_attention_heads",
              concat("must divide hidden_size ", hidden_size, ", got ", num_attention_heads));
  }
  EncoderConfig body;
  body.vocab_size = vocab_size.value_or(30522);
  body.hidden_size = hidden_size;
  body.layers = num_hidden_layers;
  body.max_positions = max_position_embeddings;
  body.token_types = type_vocab_size;
  body.padding_id = pad_token_id.value_or(-1);
  if (body.padding_id >= body.vocab_size) {
    node.fail("pad_token_id",
              concat("must be below vocab_size ", body.vocab_size, ", got ", body.padding_id));
  }
  const std::int64_t head_size = hidden_size / num_attention_heads;
  body.attention = {hidden_size, num_attention_heads,         num_attention_heads, head_size, true,
                    true,        attention_probs_dropout_prob};
  const Activation activation = *find_activation(hidden_act);
  body.feed_forward = {hidden_size, intermediate_size.value_or(3072), /*gated=*/false,
                       /*bias=*/true, activation};
  body.norm_eps = layer_norm_eps;
  body.dropout = hidden_dropout_prob;

  ModelPlan plan;
  plan.facts = {.model_type = kModelType,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = hidden_size,
                .layers = num_hidden_layers,
                .heads = num_attention_heads,
                .kv_heads = num_attention_heads,
                .head_size = head_size,
                .max_positions = max_position_embeddings,
                .labels = labels,
                .causal = false};
  plan.prefix = head == HeadKind::kNone ? "" : "bert.";
  plan.ignored = {"embeddings.position_ids"};
  plan.initializer_range = initializer_range;
  plan.sinusoidal_positions = sinusoidal_pos_embds;
  const double classifier = classifier_dropout.value_or(hidden_dropout_prob);
  if (head == HeadKind::kMaskedLm) {
    plan.lm = LmHeadConfig{hidden_size,   body.vocab_size, tie_word_embeddings,
                           /*bias=*/true, activation,      layer_norm_eps};
    plan.ignored.push_back("cls.predictions.decoder.bias");
    if (tie_word_embeddings) plan.ignored.push_back("cls.predictions.decoder.weight");
  } else if (head == HeadKind::kSpan) {
    plan.classifier = ClassifierConfig{hidden_size, 2, false, true, 0};
  } else if (head == HeadKind::kSequenceClassification) {
    plan.classifier = ClassifierConfig{hidden_size, labels, /*pooler=*/true, true, classifier};
  } else if (head == HeadKind::kTokenClassification) {
    plan.classifier = ClassifierConfig{hidden_size, labels, false, true, classifier};
  }
  plan.tensors = tensor_rules(plan, body);
  plan.body = body;
  return plan;
}

}  // namespace

const Adapter& bert_adapter() {
  static const TypedAdapter<BertConfig> adapter;
  return adapter;
}

}  // namespace llmctl
