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
  if (has("task")) return "finetune";
  if (has("objective") || has("optim") || has("train")) return "pretrain";
  if (has("tasks") || has("fail_under") || has("baselines")) return "eval";
  if (has("generation") || has("input")) return "generate";
  if (has("recipe") || has("vocab_size")) return "tokenizer";
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
    if (field.type == "object") continue;  // its members say it all
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
    if (field.path == "model" && field.type == "any") {
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

std::string starter_config(const std::string& command) {
  const std::string chosen = config_command(command, JsonDocument{});
  if (chosen == "pretrain") {
    return R"(// llmctl pretrain -c FILE       every key: llmctl config show -c FILE
{
  "run": {"dir": "runs/my-model", "seed": 1234},
  // Hugging Face's keys; or {"init_from": "DIR"} to go on with a model that exists.
  "model": {"model_type": "llama", "hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4,
            "num_attention_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": true},
  // Made by: llmctl tokenizer train data/corpus/*.txt -o runs/my-tokenizer --vocab-size 4000
  "tokenizer": {"path": "runs/my-tokenizer"},
  "data": {"train": ["data/corpus/*.txt"], "valid": {"hash": 0.02}, "sequence_length": 256},
  "objective": {"type": "causal_lm"},
  "optim": {"lr": 1e-3, "warmup_steps": 50},
  "train": {"steps": 500, "batch_size": 16},
  "eval": {"every": 100},
  "checkpoint": {"every": 250}
}
)";
  }
  if (chosen == "finetune") {
    return R"(// llmctl finetune -c FILE       every key: llmctl config show -c FILE
{
  "run": {"dir": "runs/my-answers", "seed": 1234},
  // A model directory, a checkpoint or a run directory.
  "model": {"init_from": "runs/my-model"},
  "data": {"train": ["data/qa/*-train.json"], "valid": ["data/qa/*-valid.json"], "sequence_length": 256},
  "task": {"type": "extractive_qa"},
  "optim": {"lr": 5e-4, "warmup_steps": 50, "schedule": "linear"},
  "train": {"epochs": 3, "batch_size": 32}
}
)";
  }
  if (chosen == "generate") {
    return R"(// llmctl generate -c FILE
{
  "model": {"init_from": "runs/my-model"},
  "input": {"file": "data/prompts.txt"},
  "generation": {"max_new_tokens": 60, "do_sample": true, "temperature": 0.8, "top_p": 0.95, "seed": 1},
  "output": {"file": "runs/answers.jsonl"}
}
)";
  }
  if (chosen == "prepare") {
    return R"(// llmctl data prepare -c FILE       every key: llmctl config show -c FILE
{
  "input": ["data/corpus/*.txt"],
  "output": "runs/prepared",
  // Made by: llmctl tokenizer train data/corpus/*.txt -o runs/my-tokenizer --vocab-size 4000
  "tokenizer": "runs/my-tokenizer",
  "clean": {"unicode": "nfc", "min_characters": 20},
  "deduplicate": {"exact": true, "near": true},
  "split": {"valid": 0.01}
}
)";
  }
  if (chosen == "tokenizer") {
    return R"(// llmctl tokenizer train FILE... -o DIR -c FILE       every key: llmctl config keys tokenizer
{
  "recipe": "causal",
  "model_type": "bpe",
  "vocab_size": 4000,
  // Special tokens of chat templates, and strings that are never split.
  "chat_symbols": ["<|im_start|>", "<|im_end|>"],
  "user_symbols": []
}
)";
  }
  if (chosen == "vectors") {
    return R"(// llmctl data vectors FILE... -o vectors.txt -c FILE       every key: llmctl config keys vectors
{"model": "skipgram", "dim": 100, "epochs": 5, "min_count": 5}
)";
  }
  return R"(// llmctl eval -c FILE
{
  "model": {"init_from": "runs/my-answers"},
  "tasks": [{"type": "extractive_qa", "name": "qa.en", "data": ["data/qa/en-valid.json"]},
            {"type": "extractive_qa", "name": "qa.zh", "data": ["data/qa/zh-valid.json"]}],
  "fail_under": {"qa.en.exact_match": 50}
}
)";
}

}  // namespace llmctl
