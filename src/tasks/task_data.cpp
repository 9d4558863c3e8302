#include "tasks/task_data.h"

#include <string_view>

#include "base/error.h"

namespace llmctl {
namespace {

constexpr const char* kRawTextKeys[] = {"split",   "format",       "fields",
                                        "packing", "valid_tokens", "cache"};

}  // namespace

void HeldOut::validate(const ConfigNode& node) const {
  const int given = !paths.empty() + (tail > 0) + (hash > 0);
  if (given > 1) {
    node.fail("",
              "expected a list of paths, {\"tail\": SHARE} or {\"hash\": SHARE}, got several of "
              "them");
  }
  for (const char* key : {"tail", "hash"}) {
    if (!node.has(key)) continue;
    const double share = std::string_view(key) == "tail" ? tail : hash;
    if (share >= 1 || (share == 0 && given == 0 && !node.has("paths")))
      node.fail(key, concat("expected a share between 0 and 1, got ", share));
  }
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
  if (!section.valid.paths.empty()) data.valid = expand_paths(section.valid.paths);
  data.held_out = section.valid.share();
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
