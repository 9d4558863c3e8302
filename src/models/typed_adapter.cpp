#include "models/typed_adapter.h"

#include "base/error.h"

namespace llmctl {

const std::vector<std::string>& descriptive_keys() {
  static const std::vector<std::string> keys = {
      "architectures", "torch_dtype", "dtype",          "transformers_version",
      "_name_or_path", "use_cache",   "id2label",       "label2id",
      "problem_type",  "num_labels",  "pretraining_tp", "task_specific_params"};
  return keys;
}

std::vector<std::string> all_keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& member : object.items()) keys.push_back(member.key());
  return keys;
}

void require_keys(const ConfigNode& section, const std::vector<std::string>& required) {
  for (const auto& key : required) {
    if (!section.has(key)) section.fail(key, "missing; a new model needs it");
  }
}

void require_values(const ConfigNode& config,
                    const std::vector<std::pair<std::string, Json>>& supported) {
  for (const auto& [key, value] : supported) {
    if (!config.has(key)) continue;
    const Json& got = config.child(key).value();
    if (got.is_null() || got == value) continue;
    config.fail(key, value.is_null()
                         ? concat("models with this key are not supported, got ", got.dump())
                         : concat(got.dump(), " is not supported, only ", value.dump()));
  }
}

std::int64_t choose_vocab_size(const ConfigNode& section, std::optional<std::int64_t> given,
                               std::int64_t tokenizer_vocab_size) {
  if (!given) {
    if (tokenizer_vocab_size <= 0) section.fail("vocab_size", "missing, and no tokenizer gives it");
    return tokenizer_vocab_size;
  }
  if (*given < tokenizer_vocab_size) {
    section.fail("vocab_size", concat("the tokenizer has ", tokenizer_vocab_size, " tokens, got ",
                                      *given, "; leave the key out to take its size"));
  }
  return *given;
}

void require_unchanged(const ConfigNode& overrides, const Json& config,
                       const std::vector<std::string>& free_keys) {
  for (const auto& member : overrides.value().items()) {
    const std::string& key = member.key();
    if (std::find(free_keys.begin(), free_keys.end(), key) != free_keys.end()) continue;
    if (config.contains(key) && config.at(key) == member.value()) continue;
    overrides.fail(key, concat("the directory's weights need ",
                               config.contains(key) ? config.at(key).dump() : "its default",
                               ", got ", member.value().dump(), "; leave the key out"));
  }
}

}  // namespace llmctl
