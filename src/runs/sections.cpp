#include "runs/sections.h"

#include "config/load.h"
#include "tasks/task.h"

namespace llmctl {

std::string task_section_name(const ConfigNode& root) {
  if (root.has("objective") && root.has("task"))
    root.fail("objective", "is the same section as task; give one of them");
  return root.has("objective") ? "objective" : "task";
}

TrainingConfig read_training_config(const ConfigNode& root) {
  TrainingConfig config;
  read_config(root, config, {"objective"});
  const std::string name = task_section_name(root);
  if (name == "objective") config.task = root.child(name).value();
  return config;
}

Json resolved_training_config(const ConfigNode& root, const TrainingConfig& config) {
  Json resolved = config_to_json(config);
  const std::string name = task_section_name(root);
  const TaskKind* kind = root.has(name) ? &task_kind_of(root.child(name)) : nullptr;
  resolved["data"] = resolved_data(config.data, kind == nullptr || kind->raw_text);
  if (kind != nullptr) resolved["task"] = kind->resolve(root.child(name));
  if (name == "task") return resolved;
  Json spelled = Json::object();  // under the name and in the place that it was given
  for (auto& [key, value] : resolved.items()) spelled[key == "task" ? name : key] = value;
  return spelled;
}

namespace {

/// data.train may be "a.txt", ["a.txt", {"path": "b.txt", "weight": 2}] or a list of objects; the
/// last is what is read.
void normalize_train_entries(Json& root) {
  if (!root.is_object() || !root.contains("data") || !root["data"].is_object() ||
      !root["data"].contains("train"))
    return;
  Json& train = root["data"]["train"];
  if (train.is_string()) train = Json::array({train});
  if (!train.is_array()) return;
  for (Json& entry : train) {
    if (entry.is_string()) entry = Json{{"path", entry}};
  }
}

}  // namespace

JsonDocument load_run_document(const std::vector<std::string>& files,
                               const std::vector<std::string>& sets,
                               const std::vector<std::string>& unsets) {
  JsonDocument document;
  document.value = Json::object();
  for (const auto& file : files) {
    JsonDocument next = load_config_file(file);
    if (!next.value.is_object()) fail(ErrorCode::kConfig, file, ": expected an object of sections");
    merge_config(document, next);
  }
  for (const auto& path : unsets) unset_config_value(document, path);
  for (const auto& assignment : sets) set_config_value(document, assignment);
  return finish_run_document(std::move(document));
}

JsonDocument finish_run_document(JsonDocument document) {
  normalize_train_entries(document.value);
  return document;
}

ConfigNode root_node(const JsonDocument& document) {
  return ConfigNode(&document.value, "", &document);
}

}  // namespace llmctl
