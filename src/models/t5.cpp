// "t5": Raffel et al., 2020, as Hugging Face's T5Config and T5ForConditionalGeneration write it, in
// its first form and as v1.1 (gated feed-forward, an output matrix of its own).
#include <cmath>

#include "models/typed_adapter.h"

namespace llmctl {
namespace {

/// Longest sequence: distances have no limit of their own.
constexpr std::int64_t kMaxPositions = 1 << 20;

struct T5Config : TokenConfig {
  static constexpr const char* kModelType = "t5";

  std::string model_type = kModelType;
  std::int64_t d_model = 512, d_kv = 64, d_ff = 2048, num_layers = 6, num_heads = 8;
  std::optional<std::int64_t> num_decoder_layers, decoder_start_token_id;
  std::int64_t relative_attention_num_buckets = 32, relative_attention_max_distance = 128;
  double dropout_rate = 0.1, layer_norm_epsilon = 1e-6, initializer_factor = 1;
  std::string feed_forward_proj = "relu";
  bool tie_word_embeddings = true;
  std::optional<bool> scale_decoder_outputs;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    visit("d_model", self.d_model, "Width D of the model.", Range<std::int64_t>{1, 1 << 20});
    visit("d_kv", self.d_kv, "Size of a head.", Range<std::int64_t>{1, 1 << 16});
    visit("d_ff", self.d_ff, "Inner width of the feed-forward.", Range<std::int64_t>{1, 1 << 22});
    visit("num_layers", self.num_layers, "Blocks of the encoder.", Range<std::int64_t>{1, 4096});
    visit("num_decoder_layers", self.num_decoder_layers,
          "Blocks of the decoder; num_layers by default.", Range<std::int64_t>{1, 4096});
    visit("num_heads", self.num_heads, "Heads of attention.", Range<std::int64_t>{1, 1 << 16});
    visit("relative_attention_num_buckets", self.relative_attention_num_buckets,
          "Buckets of distances.", Range<std::int64_t>{4, 1 << 16});
    visit("relative_attention_max_distance", self.relative_attention_max_distance,
          "Distances from here on share a bucket.", Range<std::int64_t>{2, 1 << 24});
    token_fields(self, visit);
    visit("decoder_start_token_id", self.decoder_start_token_id,
          "Id that an answer begins with; pad_token_id by default.",
          Range<std::int64_t>{0, 1 << 28});
    visit("dropout_rate", self.dropout_rate, "Every dropout.", Range<double>{0, 0.99});
    visit("layer_norm_epsilon", self.layer_norm_epsilon, "Added to the mean square in norms.",
          Range<double>{1e-20, 1});
    visit("initializer_factor", self.initializer_factor, "Scale of freshly initialised matrices.",
          Range<double>{0, 100});
    visit("feed_forward_proj", self.feed_forward_proj,
          "Activation of the feed-forward; with gated- before it the gated form.", OneOf{forms()});
    visit("tie_word_embeddings", self.tie_word_embeddings,
          "The output matrix is the embedding table.");
    visit("scale_decoder_outputs", self.scale_decoder_outputs,
          "Outputs are divided by the root of D; where embeddings are tied by default.");
  }

  static std::vector<std::string> forms() {
    std::vector<std::string> names = activation_names();
    for (const std::string& name : activation_names()) names.push_back("gated-" + name);
    return names;
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kSeq2SeqLm, "T5ForConditionalGeneration"},
            {HeadKind::kSeq2SeqLm, "T5WithLMHeadModel"}};
  }
  static std::vector<std::string> required_keys() {
    return {"d_model", "d_kv", "d_ff", "num_layers", "num_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"dropout_rate", "initializer_factor", "bos_token_id", "eos_token_id", "pad_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"is_encoder_decoder", true}, {"is_decoder", false}};
  }

  static void before_tying(Json& config) {
    const bool scaled = config.value("tie_word_embeddings", true);
    if (!config.contains("scale_decoder_outputs")) config["scale_decoder_outputs"] = scaled;
  }

  void complete() {
    if (!num_decoder_layers) num_decoder_layers = num_layers;
    if (!pad_token_id) pad_token_id = 0;
    if (!decoder_start_token_id) decoder_start_token_id = pad_token_id;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const;
};

std::vector<TensorRule> tensor_rules(const EncoderDecoderConfig& body, bool tied) {
  std::vector<TensorRule> rules;
  const auto rule = [&](const std::string& file, const std::string& parameter) {
    rules.push_back({file + ".weight", "body." + parameter + ".weight"});
  };
  rule("shared", "embedding");
  for (const std::string stack : {"encoder", "decoder"}) {
    const bool decoder = stack == "decoder";
    for (std::int64_t i = 0; i < (decoder ? body.decoder_layers : body.encoder_layers); ++i) {
      const std::string block = concat(stack, ".block.", i, ".layer."),
                        layer = concat(stack, ".layer", i, ".");
      int part = 0;
      const auto attention = [&](const char* theirs, const std::string& ours) {
        const std::string file = concat(block, part, ".");
        rule(file + theirs + ".q", ours + ".query");
        rule(file + theirs + ".k", ours + ".key");
        rule(file + theirs + ".v", ours + ".value");
        rule(file + theirs + ".o", ours + ".output");
        if (i == 0 && part == 0) {
          rule(file + theirs + ".relative_attention_bias", stack + ".relative");
        }
        rule(file + "layer_norm", ours + "_norm");
        ++part;
      };
      attention("SelfAttention", layer + "attention");
      if (decoder) attention("EncDecAttention", layer + "cross_attention");
      const std::string file = concat(block, part, ".");
      const bool gated = body.encoder.feed_forward.gated;
      if (gated) rule(file + "DenseReluDense.wi_0", layer + "feed_forward.gate");
      rule(file + (gated ? "DenseReluDense.wi_1" : "DenseReluDense.wi"), layer + "feed_forward.up");
      rule(file + "DenseReluDense.wo", layer + "feed_forward.down");
      rule(file + "layer_norm", layer + "feed_forward_norm");
    }
    rule(stack + ".final_layer_norm", stack + ".norm");
  }
  if (!tied) rules.push_back({"lm_head.weight", "head.weight"});
  return rules;
}

ModelPlan T5Config::plan(const ConfigNode& node, HeadKind head, std::int64_t) const {
  EncoderDecoderConfig body;
  body.vocab_size = vocab_size.value_or(32128);
  const std::int64_t start = decoder_start_token_id.value_or(pad_token_id.value_or(0));
  if (start < 0 || start >= body.vocab_size) {
    node.fail("decoder_start_token_id",
              concat("must be below vocab_size ", body.vocab_size, ", got ", start));
  }
  if (relative_attention_max_distance <= relative_attention_num_buckets / 2) {
    node.fail("relative_attention_max_distance",
              concat("must be more than half of the ", relative_attention_num_buckets,
                     " buckets, got ", relative_attention_max_distance));
  }
  body.hidden_size = d_model;
  body.encoder_layers = num_layers;
  body.decoder_layers = num_decoder_layers.value_or(num_layers);
  body.max_positions = kMaxPositions;
  body.embedding_dropout = dropout_rate;
  body.final_norm = true;
  body.relative = RelativePositionsConfig{relative_attention_num_buckets,
                                          relative_attention_max_distance, num_heads, false};
  const std::string gated_mark = "gated-";
  const bool gated = feed_forward_proj.starts_with(gated_mark);
  // "gated-gelu" means the approximation by tanh, as T5 v1.1 was trained.
  const Activation activation =
      feed_forward_proj == "gated-gelu"
          ? Activation::kGeluTanh
          : *find_activation(gated ? feed_forward_proj.substr(gated_mark.size())
                                   : feed_forward_proj);
  BlockConfig block;
  block.attention = {.hidden_size = d_model,
                     .heads = num_heads,
                     .kv_heads = num_heads,
                     .head_size = d_kv,
                     .bias = false,
                     .output_bias = false,
                     .dropout = dropout_rate,
                     .head_norm_eps = std::nullopt,
                     .scale = 1.0};
  block.feed_forward = {.hidden_size = d_model,
                        .intermediate_size = d_ff,
                        .gated = gated,
                        .bias = false,
                        .activation = activation,
                        .dropout = dropout_rate};
  block.norm = NormKind::kRms;
  block.norm_eps = layer_norm_epsilon;
  block.norm_first = true;
  block.dropout = dropout_rate;
  body.encoder = body.decoder = block;
  body.decoder.cross_attention = true;

  ModelPlan plan;
  plan.facts = {.model_type = kModelType,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = d_model,
                .layers = body.decoder_layers,
                .heads = num_heads,
                .kv_heads = num_heads,
                .head_size = d_kv,
                .max_positions = kMaxPositions,
                .labels = 0,
                .causal = true,
                .encoder_decoder = true,
                .decoder_start = start};
  plan.ignored = {"EncDecAttention.relative_attention_bias.weight"};
  for (const char* stack : {"encoder", "decoder"}) {
    plan.copies.push_back({concat(stack, ".embed_tokens.weight"), "shared.weight"});
  }
  plan.output_matrix = "lm_head.weight";
  plan.initialization = Initialization::kT5;
  plan.initializer_range = initializer_factor;
  const bool scaled = scale_decoder_outputs.value_or(tie_word_embeddings);
  plan.lm = LmHeadConfig{.hidden_size = d_model,
                         .vocab_size = body.vocab_size,
                         .tied = tie_word_embeddings,
                         .bias = false,
                         .transform = std::nullopt,
                         .norm_eps = 0,
                         .constant_bias = false,
                         .input_scale = scaled ? 1 / std::sqrt(static_cast<double>(d_model)) : 1.0};
  plan.tensors = tensor_rules(body, tie_word_embeddings);
  plan.body = body;
  return plan;
}

}  // namespace

const Adapter& t5_adapter() {
  static const TypedAdapter<T5Config> adapter;
  return adapter;
}

}  // namespace llmctl
