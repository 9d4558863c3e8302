#include "models/gguf_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "models/gguf_layout.h"

namespace llmctl {
namespace {

/// Keys are the architecture's, as in "llama.block_count".
constexpr char kLlama3Keys[] = "llmctl.rope_scaling.";  // which GGUF has no keys for

/// fp32 as the shortest number that rounds to it: 1e-05 where the file has 9.99999975e-06.
double shortest(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<float>(value)).ptr;
  double result = 0;
  std::from_chars(text, end, result);
  return result;
}

/// One architecture's part of a file's metadata.
class Keys {
 public:
  Keys(const GgufFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  std::string name(const char* key) const { return architecture_ + "." + key; }

  std::optional<std::int64_t> find(const char* key) const {
    const GgufValue* const value = file_.find(name(key));
    if (value && value->is_array()) return uniform(key);
    return file_.integer(name(key));
  }

  std::int64_t integer(const char* key) const {
    const auto value = find(key);
    if (!value) file_.fail_missing(name(key));
    if (*value < 1) fail(key, "expected a number above 0, got ", *value);
    return *value;
  }

  double number(const char* key, std::optional<double> otherwise = {}) const {
    const auto value = file_.number(name(key));
    if (!value && !otherwise) file_.fail_missing(name(key));
    return value ? shortest(*value) : *otherwise;
  }

  std::optional<std::string> string(const char* key) const { return file_.string(name(key)); }

  template <class... Parts>
  [[noreturn]] void fail(const char* key, const Parts&... parts) const {
    llmctl::fail(ErrorCode::kData, file_.path(), ": key '", name(key), "': ", parts...);
  }

  /// Refuses a key whose value is not the one that changes nothing.
  void require_idle(const char* key, double idle) const {
    const auto value = file_.number(name(key));
    if (value && *value != idle) fail(key, "only ", idle, " is supported, got ", *value);
  }

 private:
  /// A number for each layer, which must be the same.
  std::int64_t uniform(const char* key) const {
    const auto values = file_.integers(name(key));
    if (values.empty() || std::count(values.begin(), values.end(), values.front()) !=
                              static_cast<std::ptrdiff_t>(values.size())) {
      fail(key, "layers that differ are not supported");
    }
    return values.front();
  }

  const GgufFile& file_;
  std::string architecture_;
};

/// What llama.cpp computes otherwise where such a key says so.
void refuse_other_mathematics(const Keys& keys) {
  keys.require_idle("expert_count", 0);
  keys.require_idle("attention.scale", 0);
  keys.require_idle("attention.sliding_window", 0);
  keys.require_idle("attention.causal", 1);
  keys.require_idle("attention.max_alibi_bias", 0);
  keys.require_idle("attention.clamp_kqv", 0);
  keys.require_idle("logit_scale", 1);
  keys.require_idle("embedding_scale", 1);
  keys.require_idle("residual_scale", 1);
  keys.require_idle("attn_logit_softcapping", 0);
  keys.require_idle("final_logit_softcapping", 0);
  keys.require_idle("rope.scaling.yarn_log_multiplier", 0);
  keys.require_idle("rope.scaling.yarn_ext_factor", 1);
  keys.require_idle("rope.scaling.yarn_attn_factor", 1);
}

/// Llama 3's stretching, whose result the file has and whose cause it may lack.
Json llama3_scaling(const GgufFile& file, double theta, std::int64_t head_size) {
  const GgufTensor& tensor = file.tensors().at(kRopeFactors);
  const auto half = static_cast<std::size_t>(head_size / 2);
  require(tensor.type == static_cast<std::uint32_t>(GgmlType::kF32) &&
              tensor.bytes == half * sizeof(float),
          ErrorCode::kData, file.path(), ": tensor '", kRopeFactors, "': expected ", half,
          " values of F32");
  std::vector<float> factors(half);
  std::memcpy(factors.data(), file.bytes(tensor).data(), tensor.bytes);

  RopeConfig rope;
  rope.kind = RopeKind::kLlama3;
  rope.theta = theta;
  const auto given = [&](const char* key, double otherwise) {
    const auto value = file.number(std::string(kLlama3Keys) + key);
    return value ? shortest(*value) : otherwise;
  };
  // All published models of the kind (Llama 3.1 to 3.3) have these.
  rope.factor = given("factor", *std::max_element(factors.begin(), factors.end()));
  rope.low_freq_factor = given("low_freq_factor", 1);
  rope.high_freq_factor = given("high_freq_factor", 4);
  const double original = given("original_max_position_embeddings", 8192);
  const bool sane = rope.factor >= 1 && rope.factor < 1e6 && rope.low_freq_factor > 0 &&
                    rope.high_freq_factor > rope.low_freq_factor && original >= 1 &&
                    original < (1 << 30);
  bool same = sane;
  if (sane) {
    rope.original_max_positions = static_cast<std::int64_t>(original);
    RopeConfig plain = rope;
    plain.kind = RopeKind::kDefault;
    const auto stretched = inverse_frequencies(rope, head_size, 1);
    const auto base = inverse_frequencies(plain, head_size, 1);
    for (std::size_t i = 0; i < half; ++i) {
      const double expected = base[i] / stretched[i];
      same = same && std::fabs(factors[i] - expected) <= 1e-4 * expected;
    }
  }
  require(same, ErrorCode::kData, file.path(), ": tensor '", kRopeFactors,
          "': its values are not those of Llama 3's rope_scaling, and others are not supported");
  return {{"rope_type", "llama3"},
          {"factor", rope.factor},
          {"low_freq_factor", rope.low_freq_factor},
          {"high_freq_factor", rope.high_freq_factor},
          {"original_max_position_embeddings", rope.original_max_positions}};
}

/// YaRN's factor of the attention where the configuration names none.
double yarn_attention(double factor) {
  return 0.1 * std::log(factor) + 1;
}

Json rope_scaling(const Keys& keys, std::int64_t context) {
  const std::string type = keys.string("rope.scaling.type").value_or("linear");
  const double factor = keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 0.0));
  if (type == "none" || factor == 0 || factor == 1) return nullptr;
  if (type == "linear") return {{"rope_type", "linear"}, {"factor", factor}};
  if (type != "yarn") {
    keys.fail("rope.scaling.type", "\"", type,
              "\" is not supported, expected none, linear or yarn");
  }
  Json scaling = {{"rope_type", "yarn"},
                  {"factor", factor},
                  {"original_max_position_embeddings",
                   keys.find("rope.scaling.original_context_length").value_or(context)}};
  for (const auto& [key, name] : {std::pair{"rope.scaling.yarn_beta_fast", "beta_fast"},
                                  std::pair{"rope.scaling.yarn_beta_slow", "beta_slow"}}) {
    if (const double value = keys.number(key, 0.0); value != 0) scaling[name] = value;
  }
  const double attention = keys.number("rope.scaling.attn_factor", 1.0);
  if (attention != 1) scaling["attention_factor"] = attention * yarn_attention(factor);
  return scaling;
}

std::int64_t rows_of(const GgufFile& file, const char* name) {
  const auto found = file.tensors().find(name);
  require(found != file.tensors().end() && found->second.shape.size() == 2, ErrorCode::kData,
          file.path(), ": no tensor '", name, "' of two dimensions");
  return found->second.shape.front();
}

Json llama_config(const GgufFile& file, const Keys& keys, const std::string& type) {
  const std::int64_t hidden = keys.integer("embedding_length"),
                     heads = keys.integer("attention.head_count");
  const std::int64_t size = keys.find("attention.key_length").value_or(hidden / heads);
  for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
    const std::int64_t other = keys.find(key).value_or(size);
    if (other != size)
      keys.fail(key, "only the size of a head, ", size, ", is supported, got ", other);
  }
  const std::int64_t context = keys.integer("context_length");
  const double theta = keys.number("rope.freq_base", 10000.0);
  Json config = {{"hidden_size", hidden},
                 {"num_hidden_layers", keys.integer("block_count")},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", keys.find("attention.head_count_kv").value_or(heads)},
                 {"head_dim", size},
                 {"intermediate_size", keys.integer("feed_forward_length")},
                 {"hidden_act", "silu"},
                 {"max_position_embeddings", context},
                 {"rms_norm_eps", keys.number("attention.layer_norm_rms_epsilon")},
                 {"rope_theta", theta},
                 {"rope_scaling", rope_scaling(keys, context)}};
  if (file.contains(kRopeFactors)) {
    if (!config["rope_scaling"].is_null() || type != "llama") {
      fail(ErrorCode::kData, file.path(), ": tensor '", kRopeFactors,
           "': is supported of llama models without rope.scaling only");
    }
    config["rope_scaling"] = llama3_scaling(file, theta, size);
  }
  if (type == "llama") {
    config["attention_bias"] = file.contains("blk.0.attn_q.bias");
    config["mlp_bias"] = file.contains("blk.0.ffn_up.bias");
  } else if (type == "qwen3") {
    config["attention_bias"] = file.contains("blk.0.attn_q.bias");
  }
  if (type != "llama") config["use_sliding_window"] = false;
  return config;
}

Json gpt2_config(const Keys& keys) {
  return {{"n_embd", keys.integer("embedding_length")},
          {"n_layer", keys.integer("block_count")},
          {"n_head", keys.integer("attention.head_count")},
          {"n_positions", keys.integer("context_length")},
          {"n_inner", keys.integer("feed_forward_length")},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", keys.number("attention.layer_norm_epsilon")}};
}

/// The special tokens' ids, for generation without a generation_config.json.
void put_special_ids(const GgufFile& file, Json& config) {
  for (const auto& [key, name] : {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                                  std::pair{"tokenizer.ggml.padding_token_id", "pad_token_id"}}) {
    if (const auto id = file.integer(key)) config[name] = *id;
  }
  Json ends = Json::array();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const auto id = file.integer(key);
    if (id && std::find(ends.begin(), ends.end(), *id) == ends.end()) ends.push_back(*id);
  }
  if (ends.size() == 1) config["eos_token_id"] = ends[0];
  if (ends.size() > 1) config["eos_token_id"] = ends;
}

}  // namespace

Json config_of_gguf(const GgufFile& file) {
  constexpr char kArchitecture[] = "general.architecture";
  const auto type = file.string(kArchitecture);
  if (!type) file.fail_missing(kArchitecture);
  require(has_gguf_layout(*type), ErrorCode::kData, file.path(), ": key '", kArchitecture, "': '",
          *type, "' is not supported, expected one of ", gguf_model_types());
  require(file.integer("split.count").value_or(0) <= 1, ErrorCode::kData, file.path(),
          ": a model in several files, which is not supported; join them with llama-gguf-split "
          "--merge");
  const Keys keys(file, *type);
  refuse_other_mathematics(keys);
  Json config = {{"model_type", *type}};
  const Json own = *type == "gpt2" ? gpt2_config(keys) : llama_config(file, keys, *type);
  config.update(own);
  config["vocab_size"] = rows_of(file, "token_embd.weight");
  config["tie_word_embeddings"] = !file.contains("output.weight");
  put_special_ids(file, config);
  return config;
}

namespace {

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  fail(ErrorCode::kData, "the model cannot be written as GGUF: ", parts...);
}

/// What llama.cpp computes of the kind in its own way only.
void refuse_what_llama_cpp_ignores(const ModelPlan& plan, const DecoderConfig& body) {
  const std::string& type = plan.facts.model_type;
  const AttentionConfig& attention = body.block.attention;
  const auto known = [&](bool good, const auto&... parts) {
    if (!good) refuse("llama.cpp's ", type, " models have no ", parts...);
  };
  for (std::int64_t layer = 0; layer < body.layers; ++layer) {
    const std::int64_t window = body.window(layer);
    known(window == 0 || window >= body.max_positions, "sliding windows (layer ", layer, ")");
  }
  const bool gpt2 = type == "gpt2";
  known(!body.scale_by_layer, "attention scaled by layer (scale_attn_by_inverse_layer_idx)");
  known(!attention.scale, "attention without scaling (scale_attn_weights false)");
  known(body.block.feed_forward.activation == (gpt2 ? Activation::kGeluTanh : Activation::kSilu),
        "activation but ", gpt2 ? "gelu_new" : "silu");
  known(type != "qwen3" || !attention.bias, "biases in attention (attention_bias)");
  known(type != "qwen2" || attention.heads * attention.head_size == attention.hidden_size,
        "head_dim apart from hidden_size / num_attention_heads");
  if (!body.rope) return;
  const RopeConfig& rope = *body.rope;
  known(rope.kind != RopeKind::kDynamic, "rope_scaling of type dynamic");
  known(rope.kind != RopeKind::kLlama3 || type == "llama", "rope_scaling of type llama3");
  if (rope.kind != RopeKind::kYarn) return;
  known(rope.beta_fast == 32 && rope.beta_slow == 1,
        "rope_scaling of type yarn with beta_fast, beta_slow but 32 and 1");
  known(rope.truncate, "rope_scaling of type yarn with truncate false");
}

void put_rope(const RopeConfig& rope, const std::string& prefix, GgufMetadata& out) {
  const auto put = [&](const char* key, GgufValue value) {
    out.emplace_back(prefix + key, std::move(value));
  };
  put("rope.freq_base", GgufValue::f32(rope.theta));
  if (rope.kind == RopeKind::kLlama3) {
    const auto own = [&](const char* key, double value) {
      out.emplace_back(std::string(kLlama3Keys) + key, GgufValue::f32(value));
    };
    own("factor", rope.factor);
    own("low_freq_factor", rope.low_freq_factor);
    own("high_freq_factor", rope.high_freq_factor);
    out.emplace_back(std::string(kLlama3Keys) + "original_max_position_embeddings",
                     GgufValue::u32(rope.original_max_positions));
  }
  if (rope.kind != RopeKind::kLinear && rope.kind != RopeKind::kYarn) return;
  const bool yarn = rope.kind == RopeKind::kYarn;
  put("rope.scaling.type", GgufValue::string(yarn ? "yarn" : "linear"));
  put("rope.scaling.factor", GgufValue::f32(rope.factor));
  if (!yarn) return;
  put("rope.scaling.original_context_length", GgufValue::u32(rope.original_max_positions));
  const double attention = rope.attention_factor / yarn_attention(rope.factor);
  if (std::fabs(attention - 1) > 1e-6) put("rope.scaling.attn_factor", GgufValue::f32(attention));
}

}  // namespace

GgufMetadata gguf_metadata(const ModelPlan& plan) {
  const std::string& type = plan.facts.model_type;
  if (!has_gguf_layout(type)) {
    refuse("models of type ", type, " are not supported, only ", gguf_model_types());
  }
  if (!plan.lm) refuse("a ", plan.facts.architecture, " is no language model");
  const auto& body = std::get<DecoderConfig>(plan.body);
  refuse_what_llama_cpp_ignores(plan, body);
  const AttentionConfig& attention = body.block.attention;
  const std::string prefix = type + ".";
  GgufMetadata out;
  const auto put = [&](const char* key, std::int64_t value) {
    out.emplace_back(prefix + key, GgufValue::u32(value));
  };
  put("context_length", body.max_positions);
  put("embedding_length", body.hidden_size);
  put("block_count", body.layers);
  put("feed_forward_length", body.block.feed_forward.intermediate_size);
  put("attention.head_count", attention.heads);
  put("attention.head_count_kv", attention.kv_heads);
  put("vocab_size", body.vocab_size);
  const bool rms = body.block.norm == NormKind::kRms;
  out.emplace_back(
      prefix + (rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
      GgufValue::f32(body.block.norm_eps));
  if (!body.rope) return out;
  put("attention.key_length", attention.head_size);
  put("attention.value_length", attention.head_size);
  put("rope.dimension_count", attention.head_size);
  put_rope(*body.rope, prefix, out);
  return out;
}

std::vector<float> rope_factors(const ModelPlan& plan) {
  const auto& body = std::get<DecoderConfig>(plan.body);
  if (!body.rope || body.rope->kind != RopeKind::kLlama3) return {};
  RopeConfig plain = *body.rope;
  plain.kind = RopeKind::kDefault;
  const std::int64_t size = body.block.attention.head_size;
  const auto base = inverse_frequencies(plain, size, 1);
  const auto stretched = inverse_frequencies(*body.rope, size, 1);
  std::vector<float> factors;
  for (std::size_t i = 0; i < base.size(); ++i) {
    factors.push_back(static_cast<float>(base[i] / stretched[i]));
  }
  return factors;
}

}  // namespace llmctl
