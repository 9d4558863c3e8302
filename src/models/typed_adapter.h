// The parts of an adapter that follow from the struct of its configuration keys. The struct has
// fields(), and the static functions that TypedAdapter calls.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "models/adapter.h"

namespace llmctl {

/// Keys that every type has. What only describes the file is accepted, so that a config.json can be
/// pasted into a `model` section, and left out of what we write.
struct TokenConfig {
  std::optional<std::int64_t> vocab_size, pad_token_id;
  Json bos_token_id, eos_token_id;

  template <class Self, class Visitor>
  static void token_fields(Self& self, Visitor& visit) {
    visit("vocab_size", self.vocab_size, "Tokens of the vocabulary; the tokenizer's by default.",
          Range<std::int64_t>{1, 1 << 28});
    visit("pad_token_id", self.pad_token_id, "Id of padding.", Range<std::int64_t>{-1, 1 << 28});
    visit("bos_token_id", self.bos_token_id, "Id that begins a text.", Kinds{"integer or null"});
    visit("eos_token_id", self.eos_token_id, "Id that ends a text, or a list of ids.",
          Kinds{"integer or list of integer or null"});
  }
};

/// And those of types with one deviation for all matrices.
struct CommonConfig : TokenConfig {
  double initializer_range = 0.02;

  template <class Self, class Visitor>
  static void common_fields(Self& self, Visitor& visit) {
    token_fields(self, visit);
    visit("initializer_range", self.initializer_range,
          "Standard deviation of freshly initialised matrices.", Range<double>{0, 1});
  }
};

/// Keys of config.json that describe the file or the head; runs set them.
const std::vector<std::string>& descriptive_keys();

/// The keys of an object: a directory's config.json may have any.
std::vector<std::string> all_keys(const Json& object);

/// Fails unless every key of `required` is there.
void require_keys(const ConfigNode& section, const std::vector<std::string>& required);

/// Fails for keys whose value is neither absent, null, nor the only one supported.
void require_values(const ConfigNode& config,
                    const std::vector<std::pair<std::string, Json>>& supported);

/// The vocabulary of a fresh model: the section's size, which must hold the tokenizer's.
std::int64_t choose_vocab_size(const ConfigNode& section, std::optional<std::int64_t> given,
                               std::int64_t tokenizer_vocab_size);

/// Fails for an override that differs from the directory's value of a key that may not change.
void require_unchanged(const ConfigNode& overrides, const Json& config,
                       const std::vector<std::string>& free_keys);

/// `Config` has: fields(); kModelType; classes(); required_keys() of fresh models; free_keys() that
/// may differ from a directory's; supported_values(); complete(), which chooses what a fresh model
/// leaves open; plan(node, head, labels); perhaps before_tying(config), which writes down what has
/// followed from tie_word_embeddings.
template <class Config>
class TypedAdapter : public Adapter {
 public:
  const std::string& model_type() const override {
    static const std::string type = Config::kModelType;
    return type;
  }
  const std::vector<HeadClass>& classes() const override {
    static const std::vector<HeadClass> classes = Config::classes();
    return classes;
  }

  Json complete(const ConfigNode& section, std::int64_t tokenizer_vocab_size) const override {
    Config config;
    read_config(section, config, descriptive_keys());
    require_keys(section, Config::required_keys());
    config.vocab_size = choose_vocab_size(section, config.vocab_size, tokenizer_vocab_size);
    config.complete();
    Json result = config_to_json(config);
    for (auto entry = result.begin(); entry != result.end();) {
      if (entry->is_null()) {
        entry = result.erase(entry);
      } else {
        ++entry;
      }
    }
    return result;
  }

  Json resolve(const ConfigNode& section) const override {
    Config config;
    read_config(section, config, descriptive_keys());
    require_keys(section, Config::required_keys());
    config.complete();
    Json result = config_to_json(config);
    for (const auto& [key, value] : section.value().items())
      if (!result.contains(key)) result[key] = value;
    return result;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const override {
    read_quantization(node);  // refuses others' methods
    require_values(node, Config::supported_values());
    Config config;
    read_config(node, config, all_keys(node.value()));
    return config.plan(node, head, labels);
  }

  void set_tied(Json& config, bool tied) const override {
    if constexpr (requires { Config::before_tying(config); }) Config::before_tying(config);
    config["tie_word_embeddings"] = tied;
  }

  void check_overrides(const ConfigNode& overrides, const Json& config) const override {
    Config values;
    read_config(overrides, values, descriptive_keys());
    require_unchanged(overrides, config, Config::free_keys());
  }

  Json schema() const override { return config_schema<Config>(); }
  std::vector<FieldDoc> describe() const override { return describe_config<Config>(); }
};

}  // namespace llmctl
