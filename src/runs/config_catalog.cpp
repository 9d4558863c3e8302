#include "runs/config_catalog.h"

#include <algorithm>
#include <functional>

#include "corpus/word_vectors.h"
#include "models/model.h"
#include "prompt/generation_settings.h"
#include "runs/data_runs.h"
#include "runs/evaluation.h"
#include "runs/sections.h"
#include "tasks/task.h"
#include "text/train.h"

namespace llmctl {

const std::vector<std::string>& configured_commands() {
  static const std::vector<std::string> names = {"pretrain", "finetune",  "generate", "eval",
                                                 "prepare",  "tokenizer", "vectors"};
  return names;
}

std::string config_command(const std::string& command, const JsonDocument& document) {
  const auto& known = configured_commands();
  if (!command.empty()) {
    if (std::find(known.begin(), known.end(), command) == known.end()) {
      fail(ErrorCode::kUsage, "unknown command ", command, did_you_mean(command, known),
           "; configurations drive pretrain, finetune, generate, eval, data prepare (prepare), "
           "tokenizer "
           "train (tokenizer) and data vectors (vectors)");
    }
    return command;
  }
  const Json& root = document.value;
  const auto has = [&](const char* key) { return root.contains(key); };
  if (has("clean") || has("deduplicate") || has("contamination")) return "prepare";
  if (has("task")) {
    const Json& task = root["task"];
    const TaskKind* kind = task.is_object() && task.contains("type") && task["type"].is_string()
                               ? find_task_kind(task["type"].get<std::string>())
                               : nullptr;
    return kind != nullptr && kind->raw_text ? "pretrain" : "finetune";
  }
  if (has("objective") || has("optim") || has("train")) return "pretrain";
  const auto is_text = [&](const char* key) { return has(key) && root[key].is_string(); };
  // Of generate and eval, "output" is a section.
  if (is_text("output") || has("split") || has("write_dropped")) return "prepare";
  if (has("tasks") || has("fail_under") || has("baselines")) return "eval";
  if (has("generation") || has("input")) return "generate";
  if (has("recipe") || has("vocab_size")) return "tokenizer";
  if (has("dim") || has("min_count")) return "vectors";
  fail(ErrorCode::kUsage,
       "cannot tell whose configuration this is; name the command: pretrain, finetune, generate, "
       "eval, prepare, tokenizer or vectors");
}

namespace {

template <class Config>
Json resolve(const JsonDocument& document) {
  Config config;
  read_config(root_node(document), config);
  return config_to_json(config);
}

/// A section whose keys depend on the kind that `key` names.
Json chosen_section(const std::string& key, const std::vector<std::string>& kinds,
                    Json (*schema)(const std::string&), const Json& alternative) {
  Json options = Json::array();
  if (!alternative.is_null()) options.push_back(alternative);
  for (const auto& kind : kinds) {
    Json one = schema(kind);
    one["properties"][key] = {{"const", kind}};
    one["required"] = Json::array({key});
    options.push_back(one);
  }
  return {{"oneOf", options}};
}

void describe_as(Json& properties, const std::string& key, Json schema) {
  if (properties[key].contains("description"))
    schema["description"] = properties[key]["description"];
  properties[key] = std::move(schema);
}

Json task_schema(const std::string& type) {
  return find_task_kind(type)->schema();
}

Json training_schema(Json schema) {
  Json& properties = schema["properties"];
  Json from_directory = Json::parse(
      R"({"type": "object", "properties": {"init_from": {"type": "string"}}, "required": ["init_from"]})");
  describe_as(properties, "model",
              chosen_section("model_type", model_types(), model_schema, from_directory));
  return schema;
}

/// A line of the key reference.
ConfigKey key_of(const FieldDoc& field) {
  std::string type = field.type;
  const bool choice = type.starts_with("string") && !field.limits.empty();
  if (choice) {
    type = field.limits;
    for (std::size_t at; (at = type.find(", ")) != std::string::npos;) type.replace(at, 2, " \\| ");
    if (field.type.ends_with(" or null")) type += " or null";
  } else if (!field.limits.empty()) {
    type += ", " + field.limits;
  }
  const char* change = field.change == Change::kFree        ? "yes"
                       : field.change == Change::kOnRequest ? "`--change`"
                                                            : "";
  return {field.path, type, field.default_value, field.help, change};
}

void add_keys(const std::vector<FieldDoc>& fields, const std::string& prefix,
              std::vector<ConfigKey>& keys) {
  for (const FieldDoc& field : fields) {
    // A section says itself by its members, unless they depend on what is chosen in it.
    if (field.type == "object" && field.default_value.empty()) continue;
    keys.push_back(key_of(field));
    keys.back().path.insert(0, prefix);
  }
}

/// The keys of a section chosen by name, for each kind under "section (kind).".
void add_chosen(const std::string& section, const char* chooser,
                const std::vector<std::string>& kinds,
                const std::function<std::vector<FieldDoc>(const std::string&)>& describe,
                std::vector<ConfigKey>& keys) {
  for (const std::string& kind : kinds) {
    std::vector<FieldDoc> fields = describe(kind);
    std::erase_if(fields, [&](const FieldDoc& field) { return field.path == chooser; });
    add_keys(fields, section + " (" + kind + ").", keys);
  }
}

template <class Config>
std::vector<ConfigKey> keys_of() {
  std::vector<ConfigKey> keys;
  for (const FieldDoc& field : describe_config<Config>()) {
    add_keys({field}, "", keys);
    if (field.path == "model" && field.type == "object" && field.default_value == "{}") {
      add_keys({init_from_field()}, "", keys);
      add_chosen("model", "model_type", model_types(), describe_model, keys);
    } else if (field.path == "task") {
      add_chosen(
          "task", "type", task_types(),
          [](const std::string& type) { return find_task_kind(type)->describe(); }, keys);
    } else if (field.path == "tasks") {
      add_keys(describe_evaluation_entry(), "tasks[].", keys);
    } else if (field.path == "generation") {
      add_keys(describe_config<GenerationConfig>("generation"), "", keys);
    }
  }
  return keys;
}

}  // namespace

std::vector<ConfigKey> config_keys(const std::string& command) {
  const std::string chosen = config_command(command, JsonDocument{});
  if (chosen == "pretrain" || chosen == "finetune") return keys_of<TrainingConfig>();
  std::vector<ConfigKey> keys = chosen == "generate"    ? keys_of<GenerateConfig>()
                                : chosen == "prepare"   ? keys_of<PrepareConfig>()
                                : chosen == "tokenizer" ? keys_of<TokenizerTrainConfig>()
                                : chosen == "vectors"   ? keys_of<VectorsConfig>()
                                                        : keys_of<EvalConfig>();
  for (ConfigKey& key : keys) key.change.clear();  // nothing goes on there
  return keys;
}

Json resolved_config(const std::string& command, const JsonDocument& document) {
  const std::string chosen = config_command(command, document);
  const ConfigNode root = root_node(document);
  if (chosen == "pretrain" || chosen == "finetune") {
    const TrainingConfig config = read_training_config(root);
    return resolved_training_config(root, config);
  }
  if (chosen == "generate") {
    Json resolved = resolve<GenerateConfig>(document);
    GenerationConfig generation;
    if (root.has("generation")) generation = read_generation(root.child("generation"));
    resolved["generation"] = config_to_json(generation);
    return resolved;
  }
  if (chosen == "prepare") return config_to_json(read_prepare_config(document));
  if (chosen == "tokenizer") return resolve<TokenizerTrainConfig>(document);
  if (chosen == "vectors") return resolve<VectorsConfig>(document);
  return resolve<EvalConfig>(document);
}

Json config_schema_of(const std::string& command) {
  const std::string chosen = config_command(command, JsonDocument{});
  Json schema;
  if (chosen == "pretrain" || chosen == "finetune") {
    schema = training_schema(config_schema<TrainingConfig>());
    describe_as(schema["properties"], "task",
                chosen_section("type", task_types(), task_schema, nullptr));
    schema["properties"]["objective"] = {{"$ref", "#/properties/task"}};
  } else if (chosen == "generate") {
    schema = config_schema<GenerateConfig>();
    describe_as(schema["properties"], "generation", config_schema<GenerationConfig>());
  } else if (chosen == "prepare") {
    schema = config_schema<PrepareConfig>();
  } else if (chosen == "tokenizer") {
    schema = config_schema<TokenizerTrainConfig>();
  } else if (chosen == "vectors") {
    schema = config_schema<VectorsConfig>();
  } else {
    schema = config_schema<EvalConfig>();
  }
  schema["properties"]["$schema"] = {{"type", "string"}};
  schema["properties"]["extends"] = Json::parse(
      R"({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
          "description": "Configuration files that this one builds on, relative to it."})");
  Json out;
  out["$schema"] = "http://json-schema.org/draft-07/schema#";
  out["title"] = "llmctl " + chosen;
  for (auto& [key, value] : schema.items()) {
    if (key != "$schema") out[key] = value;
  }
  return out;
}

}  // namespace llmctl
