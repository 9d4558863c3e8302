// "marian": Junczys-Dowmunt et al., 2018, as Hugging Face's MarianConfig and Marian classes write
// it: a Transformer for translation with the norms behind the blocks.
#include <cmath>

#include "models/typed_adapter.h"

namespace llmctl {
namespace {

struct MarianConfig : TokenConfig {
  static constexpr const char* kModelType = "marian";

  std::string model_type = kModelType;
  std::int64_t d_model = 1024, encoder_layers = 12, decoder_layers = 12;
  std::int64_t encoder_attention_heads = 16, decoder_attention_heads = 16;
  std::int64_t encoder_ffn_dim = 4096, decoder_ffn_dim = 4096, max_position_embeddings = 1024;
  std::optional<std::int64_t> decoder_vocab_size, decoder_start_token_id;
  std::string activation_function = "gelu";
  double dropout = 0.1, attention_dropout = 0, activation_dropout = 0, init_std = 0.02;
  bool scale_embedding = false, tie_word_embeddings = true;
  bool share_encoder_decoder_embeddings = true;
  Json forced_eos_token_id;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    visit("d_model", self.d_model, "Width D of the model.", Range<std::int64_t>{2, 1 << 20});
    const Range<std::int64_t> layers{1, 4096}, heads{1, 1 << 16}, widths{1, 1 << 22};
    visit("encoder_layers", self.encoder_layers, "Blocks of the encoder.", layers);
    visit("decoder_layers", self.decoder_layers, "Blocks of the decoder.", layers);
    visit("encoder_attention_heads", self.encoder_attention_heads, "Heads of the encoder.", heads);
    visit("decoder_attention_heads", self.decoder_attention_heads, "Heads of the decoder.", heads);
    visit("encoder_ffn_dim", self.encoder_ffn_dim, "Inner width of the encoder's feed-forward.",
          widths);
    visit("decoder_ffn_dim", self.decoder_ffn_dim, "Inner width of the decoder's feed-forward.",
          widths);
    visit("max_position_embeddings", self.max_position_embeddings, "Longest sequence.",
          Range<std::int64_t>{1, 1 << 24});
    token_fields(self, visit);
    visit("share_encoder_decoder_embeddings", self.share_encoder_decoder_embeddings,
          "Encoder and decoder have one table of embeddings; false where the target language has a "
          "vocabulary of its own, which is the default with such a tokenizer.");
    visit("decoder_vocab_size", self.decoder_vocab_size,
          "Tokens of the target's vocabulary; vocab_size where the embeddings are shared, and by "
          "default.",
          Range<std::int64_t>{1, 1 << 28});
    visit("decoder_start_token_id", self.decoder_start_token_id,
          "Id that a translation begins with; pad_token_id by default.",
          Range<std::int64_t>{0, 1 << 28});
    visit("forced_eos_token_id", self.forced_eos_token_id, "Id at the greatest length.",
          Kinds{"integer or null"});
    visit("activation_function", self.activation_function, "Activation of the feed-forward.",
          OneOf{activation_names()});
    const Range<double> share{0, 0.99};
    visit("dropout", self.dropout, "Dropout of embeddings and of what blocks add.", share,
          Change::kOnRequest);
    visit("attention_dropout", self.attention_dropout, "Dropout of attention probabilities.", share,
          Change::kOnRequest);
    visit("activation_dropout", self.activation_dropout, "Dropout within the feed-forward.", share,
          Change::kOnRequest);
    visit("init_std", self.init_std, "Standard deviation of freshly initialised matrices.",
          Range<double>{0, 1});
    visit("scale_embedding", self.scale_embedding, "Embeddings are multiplied by the root of D.");
    visit("tie_word_embeddings", self.tie_word_embeddings,
          "The output matrix is the embedding table, the decoder's where there are two.");
  }

  static std::vector<HeadClass> classes() { return {{HeadKind::kSeq2SeqLm, "MarianMTModel"}}; }
  static std::vector<std::string> required_keys() {
    return {"d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads",
            "decoder_attention_heads"};
  }
  static std::vector<std::string> free_keys() {
    return {"dropout",      "attention_dropout", "activation_dropout",  "init_std",
            "bos_token_id", "eos_token_id",      "forced_eos_token_id", "pad_token_id"};
  }
  static std::vector<std::pair<std::string, Json>> supported_values() {
    return {{"is_encoder_decoder", true},         {"is_decoder", false},
            {"static_position_embeddings", true}, {"normalize_before", false},
            {"normalize_embedding", false},       {"add_final_layer_norm", false},
            {"add_bias_logits", false},           {"extra_pos_embeddings", 0}};
  }

  void complete() {
    if (!pad_token_id && vocab_size) pad_token_id = *vocab_size - 1;
    if (!decoder_start_token_id) decoder_start_token_id = pad_token_id;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const;
};

std::vector<TensorRule> marian_tensors(const EncoderDecoderConfig& body, bool tied) {
  std::vector<TensorRule> rules;
  const auto pair = [&](const std::string& file, const std::string& parameter) {
    for (const char* part : {".weight", ".bias"}) {
      rules.push_back({"model." + file + part, "body." + parameter + part});
    }
  };
  const auto attention = [&](const std::string& file, const std::string& parameter) {
    pair(file + ".k_proj", parameter + ".key");
    pair(file + ".v_proj", parameter + ".value");
    pair(file + ".q_proj", parameter + ".query");
    pair(file + ".out_proj", parameter + ".output");
    pair(file + "_layer_norm", parameter + "_norm");
  };
  if (body.source_vocab_size == 0) {
    rules.push_back({"model.shared.weight", "body.embedding.weight"});
  } else {
    rules.push_back({"model.encoder.embed_tokens.weight", "body.source_embedding.weight"});
    rules.push_back({"model.decoder.embed_tokens.weight", "body.embedding.weight"});
  }
  for (const std::string stack : {"encoder", "decoder"}) {
    const bool decoder = stack == "decoder";
    for (std::int64_t i = 0; i < (decoder ? body.decoder_layers : body.encoder_layers); ++i) {
      const std::string file = concat(stack, ".layers.", i, "."),
                        layer = concat(stack, ".layer", i, ".");
      attention(file + "self_attn", layer + "attention");
      if (decoder) attention(file + "encoder_attn", layer + "cross_attention");
      pair(file + "fc1", layer + "feed_forward.up");
      pair(file + "fc2", layer + "feed_forward.down");
      pair(file + "final_layer_norm", layer + "feed_forward_norm");
    }
  }
  if (!tied) rules.push_back({"lm_head.weight", "head.weight"});
  rules.push_back({.file_name = "final_logits_bias", .parameter = "head.bias", .trained = false});
  return rules;
}

ModelPlan MarianConfig::plan(const ConfigNode& node, HeadKind head, std::int64_t) const {
  EncoderDecoderConfig body;
  const std::int64_t sources = vocab_size.value_or(58101);
  body.vocab_size = decoder_vocab_size.value_or(sources);
  if (!share_encoder_decoder_embeddings) {
    body.source_vocab_size = sources;
  } else if (body.vocab_size != sources) {
    node.fail("decoder_vocab_size",
              concat("must be vocab_size ", sources, ", got ", body.vocab_size,
                     ", where share_encoder_decoder_embeddings is true"));
  }
  // One id of padding, which begins targets, too: both tables have it.
  const std::int64_t padding = pad_token_id.value_or(sources - 1);
  const std::int64_t start = decoder_start_token_id.value_or(padding);
  const auto check = [&](const char* key, std::int64_t id, const char* limit_key,
                         std::int64_t limit) {
    if (id < 0 || id >= limit)
      node.fail(key, concat("must be below ", limit_key, " ", limit, ", got ", id));
  };
  const char* const targets_key =
      share_encoder_decoder_embeddings ? "vocab_size" : "decoder_vocab_size";
  check("pad_token_id", padding, "vocab_size", sources);
  check("pad_token_id", padding, targets_key, body.vocab_size);
  check("decoder_start_token_id", start, targets_key, body.vocab_size);
  body.hidden_size = d_model;
  body.encoder_layers = encoder_layers;
  body.decoder_layers = decoder_layers;
  body.max_positions = max_position_embeddings;
  body.padding_id = padding;
  if (scale_embedding) body.embedding_scale = std::sqrt(static_cast<double>(d_model));
  body.embedding_dropout = dropout;
  const auto block = [&](const char* heads_key, std::int64_t heads, std::int64_t inner) {
    if (d_model % heads != 0) {
      node.fail(heads_key, concat("must divide d_model ", d_model, ", got ", heads));
    }
    BlockConfig config;
    config.attention = {.hidden_size = d_model,
                        .heads = heads,
                        .kv_heads = heads,
                        .head_size = d_model / heads,
                        .bias = true,
                        .output_bias = true,
                        .dropout = attention_dropout,
                        .head_norm_eps = std::nullopt,
                        .scale = std::nullopt};
    config.feed_forward = {.hidden_size = d_model,
                           .intermediate_size = inner,
                           .gated = false,
                           .bias = true,
                           .activation = *find_activation(activation_function),
                           .dropout = activation_dropout};
    config.norm = NormKind::kLayer;
    config.norm_eps = 1e-5;
    config.dropout = dropout;
    return config;
  };
  body.encoder = block("encoder_attention_heads", encoder_attention_heads, encoder_ffn_dim);
  body.decoder = block("decoder_attention_heads", decoder_attention_heads, decoder_ffn_dim);
  body.decoder.cross_attention = true;

  ModelPlan plan;
  plan.facts = {.model_type = kModelType,
                .architecture = "",
                .head = head,
                .vocab_size = body.vocab_size,
                .hidden_size = d_model,
                .layers = decoder_layers,
                .heads = decoder_attention_heads,
                .kv_heads = decoder_attention_heads,
                .head_size = d_model / decoder_attention_heads,
                .max_positions = max_position_embeddings,
                .labels = 0,
                .causal = true,
                .encoder_decoder = true,
                .decoder_start = start,
                .own_source_vocab_size = body.source_vocab_size};
  plan.prefix = "model.";
  plan.ignored = {"embed_positions.weight"};
  if (share_encoder_decoder_embeddings) {
    for (const char* stack : {"model.encoder", "model.decoder"})
      plan.copies.push_back({concat(stack, ".embed_tokens.weight"), "model.shared.weight"});
  }
  plan.output_matrix = "lm_head.weight";
  plan.initializer_range = init_std;
  plan.lm = LmHeadConfig{.hidden_size = d_model,
                         .vocab_size = body.vocab_size,
                         .tied = tie_word_embeddings,
                         .bias = true,
                         .transform = std::nullopt,
                         .norm_eps = 0,
                         .constant_bias = true,
                         .input_scale = 1};
  plan.tensors = marian_tensors(body, tie_word_embeddings);
  plan.body = body;
  return plan;
}

}  // namespace

const Adapter& marian_adapter() {
  static const TypedAdapter<MarianConfig> adapter;
  return adapter;
}

}  // namespace llmctl
