#include "models/bert_family.h"

namespace llmctl {
namespace {

/// The output of a classifier that reads the mean of all tokens. It has another name than one that
/// reads the first: who knows only that one finds none, instead of answering wrongly.
constexpr const char* kMeanClassifier = "mean_classifier";

std::vector<TensorRule> bert_tensors(const ModelPlan& plan, const EncoderConfig& body,
                                     const BertSwitches& switches) {
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
    rules.push_back({switches.lm_bias, "head.bias"});
    pair(switches.lm_dense, "head.dense");
    pair(switches.lm_norm, "head.norm");
    if (!plan.lm->tied) {
      rules.push_back({concat(switches.lm_decoder, ".weight"), "head.weight"});
    }
  }
  if (plan.classifier) {
    if (plan.classifier->pooler) pair(switches.pooler, "head.pooler");
    pair(plan.facts.mean_pooling                                ? kMeanClassifier
         : plan.facts.head == HeadKind::kSpan                   ? "qa_outputs"
         : plan.facts.head == HeadKind::kSequenceClassification ? switches.classifier
                                                                : "classifier",
         "head.output");
  }
  return rules;
}

}  // namespace

ModelPlan bert_plan(const BertFamilyConfig& config, const BertSwitches& switches,
                    const ConfigNode& node, HeadKind head, std::int64_t labels) {
  const std::int64_t width = config.hidden_size, heads = config.num_attention_heads;
  if (width % heads != 0) {
    node.fail("num_attention_heads", concat("must divide hidden_size ", width, ", got ", heads));
  }
  const std::int64_t positions = config.max_position_embeddings - switches.first_position;
  if (positions < 1) {
    node.fail("max_position_embeddings",
              concat("the first ", switches.first_position, " rows are no positions, got ",
                     config.max_position_embeddings));
  }
  EncoderConfig body;
  body.vocab_size = config.vocab_size.value_or(switches.default_vocab_size);
  body.hidden_size = width;
  body.layers = config.num_hidden_layers;
  body.max_positions = config.max_position_embeddings;
  body.first_position = switches.first_position;
  body.token_types = config.type_vocab_size;
  body.padding_id = switches.padding_id;
  if (body.padding_id >= body.vocab_size) {
    node.fail("pad_token_id",
              concat("must be below vocab_size ", body.vocab_size, ", got ", body.padding_id));
  }
  body.block.attention = {.hidden_size = width,
                          .heads = heads,
                          .kv_heads = heads,
                          .head_size = width / heads,
                          .bias = true,
                          .output_bias = true,
                          .dropout = config.attention_probs_dropout_prob,
                          .head_norm_eps = std::nullopt,
                          .scale = std::nullopt};
  body.block.feed_forward = {.hidden_size = width,
                             .intermediate_size = config.intermediate_size.value_or(3072),
                             .gated = false,
                             .bias = true,
                             .activation = *find_activation(config.hidden_act),
                             .dropout = 0};
  body.block.norm_eps = config.layer_norm_eps;
  body.block.dropout = config.hidden_dropout_prob;
  body.embedding_dropout = config.hidden_dropout_prob;

  ModelPlan plan;
  plan.facts = {.model_type = switches.model_type,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = width,
                .layers = config.num_hidden_layers,
                .heads = heads,
                .kv_heads = heads,
                .head_size = width / heads,
                .max_positions = positions,
                .labels = labels,
                .causal = false};
  plan.prefix = head == HeadKind::kNone ? "" : concat(switches.model_type, ".");
  plan.ignored = {"embeddings.position_ids", "embeddings.token_type_ids"};
  plan.initializer_range = config.initializer_range;
  plan.sinusoidal_positions = config.sinusoidal_pos_embds;
  const double dropout = config.classifier_dropout.value_or(config.hidden_dropout_prob);
  ClassifierConfig classifier{.hidden_size = width,
                              .outputs = labels,
                              .pooler = false,
                              .bias = true,
                              .dropout = dropout,
                              .dropout_before_pooler = false};
  if (head == HeadKind::kMaskedLm) {
    plan.lm = LmHeadConfig{.hidden_size = width,
                           .vocab_size = body.vocab_size,
                           .tied = config.tie_word_embeddings,
                           .bias = true,
                           .transform = switches.lm_activation,
                           .norm_eps = config.layer_norm_eps};
    plan.output_matrix = concat(switches.lm_decoder, ".weight");
    plan.copies.push_back({concat(switches.lm_decoder, ".bias"), switches.lm_bias, true});
  } else if (head == HeadKind::kSpan) {
    classifier.outputs = 2;
    classifier.dropout = 0;
    plan.classifier = classifier;
  } else if (head == HeadKind::kSequenceClassification) {
    plan.facts.mean_pooling = config.classifier_pooling == "mean";
    classifier.pooler = !plan.facts.mean_pooling;
    classifier.dropout_before_pooler = classifier.pooler && switches.dropout_before_pooler;
    plan.classifier = classifier;
  } else if (head == HeadKind::kTokenClassification) {
    plan.classifier = classifier;
  }
  plan.tensors = bert_tensors(plan, body, switches);
  plan.body = body;
  return plan;
}

}  // namespace llmctl
