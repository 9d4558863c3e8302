#include "tasks/task_data.h"

#include <set>
#include <string_view>

#include "base/error.h"
#include "base/log.h"

namespace llmctl {
namespace {

constexpr const char* kRawTextKeys[] = {"split",   "format",       "fields",
                                        "packing", "valid_tokens", "cache"};
constexpr const char* kLabelledKeys[] = {"skip_bad", "train_only", "share"};

/// Of files that are learnt from and scored, under whatever names.
void warn_of_learnt_files(const TaskData& data) {
  std::set<std::filesystem::path> learnt;
  for (const auto& file : data.train_files())
    learnt.insert(std::filesystem::weakly_canonical(file));
  for (const auto& file : data.valid) {
    if (!learnt.contains(std::filesystem::weakly_canonical(file))) continue;
    log_warning("data.valid: ", file.string(),
                " is also learnt from (data.train), and scores of what was learnt say little; "
                "leave it out of one of the two");
  }
}

}  // namespace

void HeldOut::validate(const ConfigNode& node) const {
  const int given = !paths.empty() + (tail > 0) + (hash > 0) + (stratified > 0);
  if (given > 1) {
    node.fail("",
              "expected a list of paths, {\"tail\": SHARE}, {\"hash\": SHARE} or "
              "{\"stratified\": SHARE}, got several of them");
  }
  const std::pair<const char*, double> shares[] = {
      {"tail", tail}, {"hash", hash}, {"stratified", stratified}};
  for (const auto& [key, share] : shares) {
    if (!node.has(key)) continue;
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

std::vector<std::filesystem::path> TaskData::scored_files() const {
  return valid.empty() ? train_files() : valid;
}

Json TaskData::initial_settings(const std::string& type) const {
  if (!initial_params.is_object()) return Json::object();
  Json settings = initial_params.value(type, Json());
  return settings.is_object() ? settings : Json::object();
}

void require_scored(const TaskData& data, std::size_t records) {
  if (records > 0) return;
  const std::vector<std::filesystem::path> files = data.scored_files();
  fail(ErrorCode::kData, files.empty() ? "data" : files.front().string(),
       data.valid.empty() ? ": none of its records is held out to be scored (data.valid); score "
                            "other files with --data FILE"
                          : ": no records to score");
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
  if (raw_text) {
    for (const char* key : kLabelledKeys) {
      if (node.has(key)) node.fail(key, "is for tasks on labelled records, not for raw text");
    }
    if (section.valid.stratified > 0)
      node.child("valid").fail("stratified", "is for tasks with classes, not for raw text");
  }
  TaskData data;
  for (const DataEntry& entry : section.train)
    data.train.push_back({expand_paths({entry.path}), entry.weight});
  if (!section.valid.paths.empty()) data.valid = expand_paths(section.valid.paths);
  data.held_out = section.valid.share();
  data.sequence_length = section.sequence_length.value_or(default_sequence_length(raw_text));
  data.split = document_split_of(section.split);
  data.skip_bad = section.skip_bad;
  data.temperature = section.temperature;
  if (section.share <= 0) node.fail("share", "expected a share above 0");
  data.share = section.share;
  if (!section.train_only.empty()) data.train_only = expand_paths(section.train_only);
  warn_of_learnt_files(data);
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
  if (raw_text) {
    for (const char* key : kLabelledKeys) json.erase(key);
  } else {
    for (const char* key : kRawTextKeys) json.erase(key);
  }
  return json;
}

}  // namespace llmctl
