#include "models/lora.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/files.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "models/lora_file.h"
#include "text/regex.h"

namespace llmctl {
namespace {

/// Whether `expression` matches `text` from its beginning to its end.
bool matches_whole(const std::string& expression, const std::string& text, const char* key) {
  const Regex regex(concat("\\A(?:", expression, ")\\z"), key);
  bool found = false;
  regex.for_each_match(text, {0, static_cast<std::uint32_t>(text.size())},
                       [&](TextRange) { found = true; });
  return found;
}

bool is_string_list(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [](const Json& entry) { return entry.is_string(); });
}

/// By a list of names: whole, or what they end with behind a dot.
bool is_listed(const Json& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(), [&](const Json& entry) {
    const std::string text = entry.get<std::string>();
    return name == text || name.ends_with("." + text);
  });
}

/// A value or a list of values as a list; null is none.
Json list_of(const Json& value) {
  if (value.is_null()) return Json::array();
  return value.is_array() ? value : Json::array({value});
}

/// An expression of a name's end as one of the whole name.
std::string end_of(const std::string& expression) {
  return concat("(?:.*\\.)?(?:", expression, ")");
}

/// By an expression of the name's end.
template <class Value>
Value by_pattern(const std::map<std::string, Value>& patterns, const std::string& name,
                 Value otherwise, const char* key) {
  for (const auto& [expression, value] : patterns) {
    if (matches_whole(end_of(expression), name, key)) return value;
  }
  return otherwise;
}

/// The number of a layer in "model.layers.3.mlp.up_proj": behind `word`, or behind any word.
std::optional<std::int64_t> layer_number(const std::string& name, const Json& words) {
  std::optional<std::int64_t> number;
  std::size_t begin = 0;
  std::string before;
  for (bool first = true;; first = false) {
    const std::size_t end = name.find('.', begin);
    const std::string part = name.substr(begin, end - begin);
    const bool digits = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
    const bool named =
        words.empty() || std::find(words.begin(), words.end(), before) != words.end();
    // As PEFT's expression: something before the word, something behind the number; the last such.
    if (digits && named && !first && begin > before.size() + 1 && end != std::string::npos) {
      number = std::stoll(part);
    }
    if (end == std::string::npos) return number;
    before = part;
    begin = end + 1;
  }
}

}  // namespace

void LoraConfig::validate(const ConfigNode& node) const {
  const auto names = [&](const char* key, const Json& value, bool expression) {
    if (value.is_null() || is_string_list(value) || (expression && value.is_string())) return;
    node.fail(key, concat("expected a list of names", expression ? " or a regular expression" : "",
                          ", got ", value.dump()));
  };
  names("target_modules", target_modules, true);
  names("exclude_modules", exclude_modules, true);
  names("modules_to_save", modules_to_save, false);
  if (!layers_pattern.is_string()) names("layers_pattern", layers_pattern, false);
  if (target_modules.is_null()) node.fail("target_modules", "missing; \"all-linear\" names all");
  const bool numbers = layers_to_transform.is_null() || layers_to_transform.is_number_integer() ||
                       (layers_to_transform.is_array() &&
                        std::all_of(layers_to_transform.begin(), layers_to_transform.end(),
                                    [](const Json& entry) { return entry.is_number_integer(); }));
  if (!numbers) {
    node.fail("layers_to_transform",
              concat("expected a number or a list of numbers, got ", layers_to_transform.dump()));
  }
  for (const auto& [name, rank] : rank_pattern) {
    if (rank < 1)
      node.fail("rank_pattern", concat("rank of ", name, " must be positive, got ", rank));
  }
}

bool LoraConfig::targets(const std::string& name, bool linear) const {
  if (exclude_modules.is_string() &&
      matches_whole(exclude_modules.get<std::string>(), name, "exclude_modules")) {
    return false;
  }
  if (exclude_modules.is_array() && is_listed(exclude_modules, name)) return false;
  if (target_modules == "all-linear") return linear && is_in_layers(name);
  if (target_modules.is_string()) {
    return matches_whole(target_modules.get<std::string>(), name, "target_modules") &&
           is_in_layers(name);
  }
  // A whole name says its layer itself.
  if (std::find(target_modules.begin(), target_modules.end(), name) != target_modules.end()) {
    return true;
  }
  return is_listed(target_modules, name) && is_in_layers(name);
}

bool LoraConfig::is_in_layers(const std::string& name) const {
  const Json numbers = list_of(layers_to_transform);
  if (numbers.empty()) return true;
  const auto number = layer_number(name, list_of(layers_pattern));
  return number && std::find(numbers.begin(), numbers.end(), *number) != numbers.end();
}

void LoraConfig::check_names(const ConfigNode& node, const LayerNames& names) const {
  const auto require_found = [&](const char* key, const std::string& shown,
                                 const std::vector<std::string>& among, const auto& is_meant) {
    if (std::any_of(among.begin(), among.end(), is_meant)) return;
    node.fail(key,
              concat(shown, " names no layer", among.empty() ? "" : "; there is, for example, ",
                     among.empty() ? "" : among[among.size() / 2]));
  };
  const auto require_listed = [&](const char* key, const Json& entries,
                                  const std::vector<std::string>& among) {
    for (const Json& entry : entries) {
      require_found(key, entry.dump(), among,
                    [&](const std::string& name) { return is_listed(Json::array({entry}), name); });
    }
  };
  const auto require_matched = [&](const char* key, const std::string& expression,
                                   const std::string& pattern,
                                   const std::vector<std::string>& among) {
    require_found(key, concat("'", expression, "'"), among,
                  [&](const std::string& name) { return matches_whole(pattern, name, key); });
  };
  for (const Json& entry : target_modules.is_array() ? target_modules : Json::array()) {
    const auto is_meant = [&](const std::string& name) {
      return is_listed(Json::array({entry}), name);
    };
    const bool others = std::none_of(names.linear.begin(), names.linear.end(), is_meant) &&
                        std::any_of(names.kept.begin(), names.kept.end(), is_meant);
    if (others) {
      node.fail("target_modules",
                concat(entry.dump(), " takes no low-rank maps; modules_to_save trains it whole"));
    }
  }
  if (target_modules.is_array()) require_listed("target_modules", target_modules, names.linear);
  if (exclude_modules.is_string()) {
    const auto expression = exclude_modules.get<std::string>();
    require_matched("exclude_modules", expression, expression, names.all);
  } else {
    require_listed("exclude_modules", list_of(exclude_modules), names.all);
  }
  require_listed("modules_to_save", list_of(modules_to_save), names.kept);
  for (const auto& [expression, rank] : rank_pattern)
    require_matched("rank_pattern", expression, end_of(expression), names.adapted);
  for (const auto& [expression, alpha] : alpha_pattern)
    require_matched("alpha_pattern", expression, end_of(expression), names.adapted);
  const Json numbers = list_of(layers_to_transform), words = list_of(layers_pattern);
  if (numbers.empty() && !words.empty())
    node.fail("layers_pattern", "is of layers_to_transform, which names no layer");
  for (const Json& number : numbers) {
    require_found("layers_to_transform", number.dump(), names.linear, [&](const std::string& name) {
      return layer_number(name, words) == number.get<std::int64_t>();
    });
  }
}

bool LoraConfig::saves(const std::string& name) const {
  return modules_to_save.is_array() && is_listed(modules_to_save, name);
}

std::int64_t LoraConfig::rank_of(const std::string& name) const {
  return by_pattern(rank_pattern, name, r, "rank_pattern");
}

double LoraConfig::scale_of(const std::string& name) const {
  const double alpha = by_pattern(alpha_pattern, name, lora_alpha, "alpha_pattern");
  const auto rank = static_cast<double>(rank_of(name));
  return alpha / (use_rslora ? std::sqrt(rank) : rank);
}

LoraConfig read_lora_config(const JsonDocument& document) {
  const ConfigNode node(&document.value, "", &document, ErrorCode::kData);
  if (!document.value.is_object()) node.fail("", "expected an object");
  const auto only = [&](const char* key, const std::vector<Json>& supported) {
    if (!node.has(key)) return;
    const Json& value = node.child(key).value();
    // What is switched off has many spellings.
    if (value.is_null() || value == false || value == Json::object() || value == Json::array()) {
      return;
    }
    if (std::find(supported.begin(), supported.end(), value) == supported.end()) {
      node.fail(key, concat(value.dump(), " is not supported"));
    }
  };
  if (!node.has("peft_type")) node.fail("peft_type", "missing; expected \"LORA\"");
  only("peft_type", {"LORA"});
  only("bias", {"none"});
  only("init_lora_weights", {true, "gaussian"});
  for (const char* key : {"use_dora", "use_qalora", "use_bdlora", "lora_bias", "layer_replication",
                          "target_parameters", "trainable_token_indices", "alora_invocation_tokens",
                          "megatron_config", "arrow_config", "monteclora_config", "velora_config",
                          "kasa_config", "lora_ga_config"}) {
    only(key, {});
  }
  LoraConfig config;
  std::vector<std::string> others;
  for (const auto& member : document.value.items()) others.push_back(member.key());
  read_config(node, config, others);
  return config;
}

namespace {

/// PEFT's names of tasks; it has none for masked language models.
constexpr std::pair<HeadKind, const char*> kTasks[] = {
    {HeadKind::kCausalLm, "CAUSAL_LM"},
    {HeadKind::kSeq2SeqLm, "SEQ_2_SEQ_LM"},
    {HeadKind::kSequenceClassification, "SEQ_CLS"},
    {HeadKind::kTokenClassification, "TOKEN_CLS"},
    {HeadKind::kSpan, "QUESTION_ANS"}};

}  // namespace

Json lora_config_json(const LoraConfig& config, const std::string& base, HeadKind head,
                      bool transposed) {
  Json json = config_to_json(config);
  json["peft_type"] = "LORA";
  json["base_model_name_or_path"] = base;
  json["bias"] = "none";
  json["fan_in_fan_out"] = transposed;
  json["inference_mode"] = true;
  json["init_lora_weights"] = true;
  json["task_type"] = nullptr;
  for (const auto& [kind, name] : kTasks) {
    if (kind == head) json["task_type"] = name;
  }
  return json;
}

HeadKind adapter_head(const Json& config) {
  const auto task = config.find("task_type");
  for (const auto& [kind, name] : kTasks) {
    if (task != config.end() && *task == name) return kind;
  }
  return HeadKind::kNone;
}

std::vector<std::string> adapter_labels(const std::filesystem::path& directory) {
  const Json labels = adapter_metadata(directory, "labels");
  if (labels.is_null()) return {};
  require(is_string_list(labels), ErrorCode::kData, directory / kAdapterWeights,
          ": metadata \"labels\": expected a list of names");
  return labels.get<std::vector<std::string>>();
}

Json adapter_metadata(const std::filesystem::path& directory, const std::string& key) {
  // PEFT's first format has no metadata.
  if (!fs::exists(directory / kAdapterWeights)) return nullptr;
  const SafetensorsFile file(directory / kAdapterWeights);
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return nullptr;
  return parse_json(found->second, file.path().string());
}

Json adapter_overrides(const std::filesystem::path& directory) {
  Json overrides = adapter_metadata(directory, kOverrides);
  if (overrides.is_null()) return Json::object();
  require(overrides.is_object(), ErrorCode::kData, directory / kAdapterWeights, ": metadata \"",
          kOverrides, "\": expected an object");
  return overrides;
}

bool is_adapter_directory(const std::filesystem::path& directory) {
  if (!fs::exists(directory / kAdapterConfig)) return false;
  return fs::exists(directory / kAdapterWeights) || fs::exists(directory / kOldAdapterWeights) ||
         !fs::exists(directory / "config.json");
}

std::filesystem::path adapter_base(const std::filesystem::path& directory, const FindModel& find) {
  const fs::path file = directory / kAdapterConfig;
  const Json config = load_json(file);
  const auto found = config.is_object() ? config.find("base_model_name_or_path") : config.end();
  require(config.is_object() && found != config.end() && found->is_string() &&
              !found->get_ref<const std::string&>().empty(),
          ErrorCode::kData, file, ": base_model_name_or_path: expected the adapter's base model");
  const auto name = found->get<std::string>();
  const fs::path beside = directory / name;
  const std::string place = fs::exists(beside) ? beside.string() : name;
  fs::path base = place;
  try {
    if (find) base = find(place);
    require(fs::exists(base / "config.json") || is_adapter_directory(base) || is_gguf_file(base),
            ErrorCode::kMissing, place, ": no such directory");
  } catch (const Error& error) {
    fail(error.code(), file,
         ": base_model_name_or_path: the adapter's base is not there: ", error.what(),
         "; name its directory in this key");
  }
  require(!is_adapter_directory(base), ErrorCode::kData, file, ": base_model_name_or_path: ", name,
          " is an adapter itself; export it first (llmctl export merges it with its base)");
  return base;
}

}  // namespace llmctl
