#include "tasks/task_data.h"

#include "base/error.h"

namespace llmctl {
namespace {

constexpr const char* kRawTextKeys[] = {"split",   "format",       "fields",
                                        "packing", "valid_tokens", "cache"};

}  // namespace

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
  (key == "tail" ? out.share.tail : out.share.hash) = share.get<double>();
  return out;
}

std::vector<std::filesystem::path> TaskData::train_files() const {
  std::vector<std::filesystem::path> all;
  for (const WeightedFiles& entry : train)
    all.insert(all.end(), entry.files.begin(), entry.files.end());
  return all;
}

std::vector<double> TaskData::train_weights() const {
  std::vector<double> all;
  for (const WeightedFiles& entry : train) all.insert(all.end(), entry.files.size(), entry.weight);
  return all;
}

std::vector<std::filesystem::path> TaskData::scored_files() const {
  return valid.empty() ? train_files() : valid;
}

std::int64_t default_sequence_length(bool raw_text) {
  return raw_text ? 512 : 384;
}

TaskData find_task_data(const ConfigNode& node, const DataSection& section, bool raw_text,
                        const std::filesystem::path& cache) {
  if (!raw_text) {
    for (const char* key : kRawTextKeys) {
      if (node.has(key)) node.fail(key, "is for language models on raw text, not for this task");
    }
  }
  TaskData data;
  for (const DataEntry& entry : section.train)
    data.train.push_back({expand_paths({entry.path}), entry.weight});
  if (node.has("valid")) {
    const HeldOut held_out = read_held_out(node.child("valid"));
    if (!held_out.paths.empty()) data.valid = expand_paths(held_out.paths);
    data.held_out = held_out.share;
  }
  data.sequence_length = section.sequence_length.value_or(default_sequence_length(raw_text));
  data.split = document_split_of(section.split);
  data.format = section.format;
  data.fields_of_text = section.fields_of_text;
  data.packing_name = section.packing;
  data.valid_tokens = section.valid_tokens;
  data.cache = section.cache.empty() ? cache : std::filesystem::path(section.cache);
  return data;
}

Json resolved_data(const DataSection& section, bool raw_text) {
  DataSection whole = section;
  whole.sequence_length = section.sequence_length.value_or(default_sequence_length(raw_text));
  Json json = config_to_json(whole);
  if (!raw_text) {
    for (const char* key : kRawTextKeys) json.erase(key);
  }
  return json;
}

}  // namespace llmctl
