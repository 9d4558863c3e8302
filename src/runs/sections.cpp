#include "runs/sections.h"

#include <algorithm>

#include "config/load.h"
#include "models/model.h"
#include "runs/run_directory.h"
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
  if (root.has("model")) resolved["model"] = resolve_model_section(root.child("model"));
  if (name == "task") return resolved;
  Json spelled = Json::object();  // under the name and in the place that it was given
  for (auto& [key, value] : resolved.items()) spelled[key == "task" ? name : key] = value;
  return spelled;
}

FieldDoc init_from_field() {
  return {"model.init_from",
          "string",
          "",
          "A model directory, a checkpoint or a run directory to start from, or an org/name in the "
          "Hugging Face cache; keys beside it replace its own where they change no shape.",
          "",
          Change::kNever,
          PathKey{.or_name = true}};
}

std::vector<FieldDoc> training_fields(const ConfigNode& root) {
  std::vector<FieldDoc> fields = describe_config<TrainingConfig>();
  const auto add = [&](const std::string& section, std::vector<FieldDoc> own) {
    for (FieldDoc& field : own) {
      field.path.insert(0, section + ".");
      fields.push_back(std::move(field));
    }
  };
  fields.push_back(init_from_field());
  const Json& model = root.child("model").value();
  const Json type = model.is_object() ? model.value("model_type", Json()) : Json();
  const bool known = type.is_string() && [&] {
    const std::vector<std::string> types = model_types();
    return std::find(types.begin(), types.end(), type.get<std::string>()) != types.end();
  }();
  if (known) {  // making the model says what is wrong with another
    add("model", describe_model(type.get<std::string>()));
  } else {
    // Overrides of a directory, whose type is not looked up: a key has one grade in all types.
    for (const std::string& name : model_types()) add("model", describe_model(name));
  }
  const std::string name = task_section_name(root);
  if (root.has(name)) add(name, task_kind_of(root.child(name)).describe());
  return fields;
}

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
  document.value.erase(kRunChanges);
  return document;
}

ConfigNode root_node(const JsonDocument& document) {
  return ConfigNode(&document.value, "", &document);
}

}  // namespace llmctl
