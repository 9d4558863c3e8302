#include "runs/sections.h"

#include "config/load.h"

namespace llmctl {

HeldOut read_held_out(const ConfigNode& node) {
  HeldOut out;
  const Json& value = node.value();
  if (value.is_string()) {
    out.paths.push_back(value.get<std::string>());
    return out;
  }
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_string())
        node.child(i).fail("", "expected a path, got " + dump_json(value[i]));
      out.paths.push_back(value[i].get<std::string>());
    }
    return out;
  }
  if (!value.is_object() || value.size() != 1) {
    node.fail("", "expected a list of paths, {\"tail\": SHARE} or {\"hash\": SHARE}, got " +
                      dump_json(value));
  }
  const std::string& key = value.begin().key();
  const Json& share = value.begin().value();
  if (key != "tail" && key != "hash")
    node.fail(key, "unknown key" + did_you_mean(key, {"tail", "hash"}));
  if (!share.is_number() || share.get<double>() <= 0 || share.get<double>() >= 1) {
    node.fail(key, "expected a share between 0 and 1, got " + dump_json(share));
  }
  (key == "tail" ? out.tail : out.hash) = share.get<double>();
  return out;
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
