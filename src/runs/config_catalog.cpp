#include "runs/config_catalog.h"

#include <algorithm>

#include "corpus/word_vectors.h"
#include "models/model.h"
#include "prompt/generation_settings.h"
#include "runs/data_runs.h"
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

Json paths_or_objects() {
  return Json::parse(
      R"({"oneOf": [{"type": "string"}, {"type": "array", "items": {"oneOf": [{"type": "string"},
    {"type": "object", "properties": {"path": {"type": "string"}, "weight": {"type": "number", "minimum": 0}},
     "required": ["path"], "additionalProperties": false}]}}]})");
}

Json held_out_schema() {
  return Json::parse(
      R"({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}},
    {"type": "object", "properties": {"tail": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}},
     "required": ["tail"], "additionalProperties": false},
    {"type": "object", "properties": {"hash": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}},
     "required": ["hash"], "additionalProperties": false}]})");
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
  Json& data = properties["data"]["properties"];
  describe_as(data, "train", paths_or_objects());
  describe_as(data, "valid", held_out_schema());
  return schema;
}

std::string type_of(const Json& schema) {
  if (schema.contains("enum")) {
    std::string text;
    for (const auto& value : schema["enum"])
      text += (text.empty() ? "" : " \\| ") + value.get<std::string>();
    return text;
  }
  if (schema.contains("const")) return dump_json(schema["const"]);
  if (schema.contains("oneOf")) return "see help";
  std::string type = "any";
  if (schema.contains("type")) {
    const Json& named = schema["type"];
    type = named.is_array() ? named.front().get<std::string>() : named.get<std::string>();
  }
  if (type == "array" && schema.contains("items")) return "list of " + type_of(schema["items"]);
  return type;
}

void collect_keys(const Json& schema, const std::string& prefix, std::vector<ConfigKey>& out) {
  if (!schema.contains("properties")) return;
  for (const auto& [key, value] : schema["properties"].items()) {
    if (key == "$schema" || value.contains("const") || value.contains("$ref")) continue;
    const std::string path = prefix + key;
    if (value.contains("properties")) {
      collect_keys(value, path + ".", out);
      continue;
    }
    out.push_back({path, type_of(value),
                   value.contains("default") ? dump_json(value["default"]) : std::string(),
                   value.value("description", std::string())});
    if (!value.contains("oneOf")) continue;
    for (const Json& kind : value["oneOf"]) {
      if (!kind.contains("properties")) continue;
      for (const auto& [name, property] : kind["properties"].items()) {
        if (property.contains("const") && (name == "type" || name == "model_type")) {
          collect_keys(kind, path + " (" + property["const"].get<std::string>() + ").", out);
        }
      }
    }
  }
}

}  // namespace

std::vector<ConfigKey> config_keys(const std::string& command) {
  std::vector<ConfigKey> keys;
  collect_keys(config_schema_of(command), "", keys);
  return keys;
}

Json resolved_config(const std::string& command, const JsonDocument& document) {
  const std::string chosen = config_command(command, document);
  const ConfigNode root = root_node(document);
  if (chosen == "pretrain" || chosen == "finetune") {
    const TrainingConfig config = read_training_config(root);
    if (root.has("data") && root.child("data").has("valid"))
      read_held_out(root.child("data").child("valid"));
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
    Json& input = schema["properties"]["input"];
    input["items"] = {{"oneOf", Json::array({Json{{"type", "string"}}, input["items"]})}};
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
