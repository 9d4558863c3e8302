// What BERT and the families that follow it (RoBERTa) have in common: keys of config.json, tensors'
// names, the plan.
#pragma once

#include "models/typed_adapter.h"

namespace llmctl {

struct BertFamilyConfig : CommonConfig {
  std::int64_t hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12;
  std::optional<std::int64_t> intermediate_size;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1, attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;
  std::string classifier_pooling = "cls";
  std::int64_t max_position_embeddings = 512, type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  bool tie_word_embeddings = true, sinusoidal_pos_embds = false;

  template <class Self, class Visitor>
  static void family_fields(Self& self, Visitor& visit) {
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
          "Dropout of embeddings and of what blocks add.", Range<double>{0, 0.99},
          Change::kOnRequest);
    visit("attention_probs_dropout_prob", self.attention_probs_dropout_prob,
          "Dropout of attention probabilities.", Range<double>{0, 0.99}, Change::kOnRequest);
    visit("classifier_dropout", self.classifier_dropout,
          "Dropout before a classifier; hidden_dropout_prob by default.", Range<double>{0, 0.99},
          Change::kOnRequest);
    visit("classifier_pooling", self.classifier_pooling,
          "What a classifier of sequences reads: cls: the first token, by a dense layer; mean: the "
          "mean of all tokens. ModernBERT has this key; transformers' classes of this type do "
          "without it and read the first token.",
          OneOf{{"cls", "mean"}});
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

  static std::vector<std::string> required_keys() {
    return {"hidden_size", "num_hidden_layers", "num_attention_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"hidden_dropout_prob", "attention_probs_dropout_prob",
            "classifier_dropout",  "classifier_pooling",
            "initializer_range",   "sinusoidal_pos_embds",
            "bos_token_id",        "eos_token_id",
            "pad_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"is_decoder", false},
            {"add_cross_attention", false},
            {"is_encoder_decoder", false},
            {"position_embedding_type", "absolute"}};
  }

  void complete() {
    if (!intermediate_size) intermediate_size = 4 * hidden_size;
  }
};

/// What tells the families apart.
struct BertSwitches {
  const char* model_type;
  std::int64_t default_vocab_size = 0;
  std::int64_t padding_id = -1;
  std::int64_t first_position = 0;  ///< row of the table that position 0 takes
  /// Names of the masked LM's tensors in files.
  const char *lm_bias, *lm_dense, *lm_norm, *lm_decoder;
  Activation lm_activation = Activation::kGelu;
  /// Of the classifier of sequences: its dense layer and its output in files; dropout also before
  /// the dense layer.
  std::string pooler, classifier;
  bool dropout_before_pooler = false;
};

ModelPlan bert_plan(const BertFamilyConfig& config, const BertSwitches& switches,
                    const ConfigNode& node, HeadKind head, std::int64_t labels);

}  // namespace llmctl
