#include "models/rope_keys.h"

#include <cmath>

namespace llmctl {
namespace {

constexpr const char* kParameters = "rope_parameters";
constexpr const char* kScaling = "rope_scaling";
constexpr const char* kTheta = "rope_theta";

/// The members of the object. Any other key would change the mathematics and is refused.
struct RopeKeys {
  std::optional<std::string> rope_type, type;
  std::optional<double> rope_theta, factor, low_freq_factor, high_freq_factor, beta_fast, beta_slow,
      attention_factor, mscale, mscale_all_dim;
  std::optional<double> partial_rotary_factor;
  std::optional<std::int64_t> original_max_position_embeddings;
  bool truncate = true;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    const OneOf types{{"default", "linear", "dynamic", "yarn", "llama3"}};
    const Range<double> positive{1e-6, 1e9};
    visit("rope_type", self.rope_type, "How positions are stretched.", types);
    visit("type", self.type, "Older spelling of rope_type.", types);
    visit("rope_theta", self.rope_theta, "Base of the frequencies.", Range<double>{1, 1e15});
    visit("factor", self.factor, "By how much.", Range<double>{1, 1e6});
    visit("low_freq_factor", self.low_freq_factor, "llama3: long waves.", positive);
    visit("high_freq_factor", self.high_freq_factor, "llama3: short waves.", positive);
    visit("beta_fast", self.beta_fast, "yarn: turns of short waves.", positive);
    visit("beta_slow", self.beta_slow, "yarn: turns of long waves.", positive);
    visit("attention_factor", self.attention_factor, "yarn: scale of the angles.", positive);
    visit("mscale", self.mscale, "yarn: part of attention_factor.", Range<double>{0, 1e6});
    visit("mscale_all_dim", self.mscale_all_dim, "yarn: part of attention_factor.",
          Range<double>{0, 1e6});
    visit("partial_rotary_factor", self.partial_rotary_factor, "Share of a head that is turned.",
          Range<double>{1, 1});
    visit("original_max_position_embeddings", self.original_max_position_embeddings,
          "Length of pretraining.", Range<std::int64_t>{1, 1 << 30});
    visit("truncate", self.truncate, "yarn: whole dimensions bound the ramp.");
  }
};

/// YaRN's temperature of the attention (Peng et al., 2023, equation 22) as a scale of the angles.
double yarn_scale(double factor, double weight) {
  return 0.1 * weight * std::log(factor) + 1;
}

double yarn_attention_factor(const RopeKeys& keys, double factor) {
  if (keys.attention_factor) return *keys.attention_factor;
  if (keys.mscale.value_or(0) != 0 && keys.mscale_all_dim.value_or(0) != 0) {
    return yarn_scale(factor, *keys.mscale) / yarn_scale(factor, *keys.mscale_all_dim);
  }
  return yarn_scale(factor, 1);
}

bool is_set(const ConfigNode& config, const char* key) {
  return config.has(key) && !config.child(key).value().is_null();
}

}  // namespace

RopeConfig read_rope(const ConfigNode& config, double theta, std::int64_t max_positions) {
  RopeConfig rope;
  rope.theta = theta;
  rope.max_positions = rope.original_max_positions = max_positions;
  const char* const key = is_set(config, kParameters) ? kParameters : kScaling;
  if (!is_set(config, key)) return rope;
  const ConfigNode node = config.child(key);
  RopeKeys keys;
  read_config(node, keys);
  const std::string type = keys.rope_type ? *keys.rope_type : keys.type.value_or("default");
  if (keys.rope_theta) rope.theta = *keys.rope_theta;
  if (type == "default") return rope;
  if (!keys.factor) node.fail("factor", concat("missing; '", type, "' needs it"));
  rope.factor = *keys.factor;
  rope.original_max_positions = keys.original_max_position_embeddings.value_or(max_positions);
  if (type == "linear") {
    rope.kind = RopeKind::kLinear;
  } else if (type == "dynamic") {
    rope.kind = RopeKind::kDynamic;
  } else if (type == "yarn") {
    rope.kind = RopeKind::kYarn;
    rope.beta_fast = keys.beta_fast.value_or(32);
    rope.beta_slow = keys.beta_slow.value_or(1);
    rope.truncate = keys.truncate;
    rope.attention_factor = yarn_attention_factor(keys, rope.factor);
    if (rope.theta <= 1) config.fail(kTheta, "yarn needs more than 1");
  } else {
    rope.kind = RopeKind::kLlama3;
    for (const auto& [name, value] : {std::pair{"low_freq_factor", keys.low_freq_factor},
                                      std::pair{"high_freq_factor", keys.high_freq_factor}}) {
      if (!value) node.fail(name, "missing; 'llama3' needs it");
    }
    rope.low_freq_factor = *keys.low_freq_factor;
    rope.high_freq_factor = *keys.high_freq_factor;
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      node.fail("high_freq_factor", "must be larger than low_freq_factor");
    }
  }
  return rope;
}

void write_rope(Json& config) {
  const auto found = config.find(kParameters);
  if (found == config.end()) return;
  Json parameters = *found;
  config.erase(kParameters);
  if (!parameters.is_object()) return;
  if (parameters.contains(kTheta)) {
    config[kTheta] = parameters[kTheta];
    parameters.erase(kTheta);
  }
  const bool plain = parameters.empty() || parameters.value("rope_type", "default") == "default";
  config[kScaling] = plain ? Json() : parameters;
}

}  // namespace llmctl
