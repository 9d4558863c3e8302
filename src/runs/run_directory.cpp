#include "runs/run_directory.h"

#include <unistd.h>
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/output.h"
#include "train/checkpoint.h"

namespace llmctl {
namespace {

/// Stands in the directory while an overwriting is under way, so that the next start finishes one
/// that was killed.
constexpr const char* kOverwriting = ".overwriting";

/// Everything that a run writes at the top of its directory; run.json, which makes the directory a
/// run's, goes last.
constexpr std::array kRunContent = {"environment.json",
                                    "log.txt",
                                    "metrics.jsonl",
                                    "tensorboard",
                                    "checkpoints",
                                    "rounds",
                                    "taught",
                                    "self_training.json",
                                    "shares",
                                    "learning_curve.json",
                                    "best",
                                    "last",
                                    "run.json"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Whether overwriting the run would remove the file or something of the folder.
bool is_removed(const fs::path& directory, const fs::path& input) {
  const auto place = place_inside(directory, input);
  return place && (*place == "." ||
                   std::ranges::find(kRunContent, place->begin()->string()) != kRunContent.end());
}

/// An interruption before the first checkpoint would leave neither the run nor what it began from.
void require_inputs_outside(const fs::path& directory, Json config,
                            const std::vector<FieldDoc>& fields) {
  for_each_path(config, fields, [&](const FieldDoc& field, const Json& path) {
    const auto& input = path.get_ref<const std::string&>();
    const bool is_input = field.path != "run.dir" && field.path != "data.cache";
    if (!is_input || !fs::path(input).is_absolute()) return;
    require(!is_removed(directory, input), ErrorCode::kCannotCreate, directory.string(),
            ": --overwrite would remove ", field.path, " (", input,
            "); choose another run.dir (-o NEW)");
  });
}

/// The nearest directory of the path that is there must take new entries.
void require_writable(const fs::path& directory) {
  std::error_code ignored;
  fs::path there = fs::absolute(directory, ignored);
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  require(fs::is_directory(there, ignored), ErrorCode::kCannotCreate, directory.string(), ": ",
          there.string(), " is no directory; choose another run.dir");
  require(::access(there.c_str(), W_OK | X_OK) == 0, ErrorCode::kCannotCreate, directory.string(),
          ": ", there.string(), " cannot be written; choose another run.dir");
}

void require_own_content(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) return;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name == "lock" || name.starts_with(".")) continue;
    fail(ErrorCode::kCannotCreate, directory.string(), ": holds ", name,
         " but no run.json, so it is no run's; choose another run.dir");
  }
}

/// Whether the document says something of a key: it has the key, or something else in the place of
/// what holds it.
bool gives(const Json& document, const std::string& key) {
  for (std::size_t dot = key.find('.');; dot = key.find('.', dot + 1)) {
    const Json* value = value_at(document, key.substr(0, dot));
    if (value == nullptr) return false;
    if (dot == std::string::npos || !(value->is_object() || value->is_array())) return true;
  }
}

/// Puts a run's value where the document has none. Null: the run has none either.
void put(JsonDocument& document, const std::string& key, const Json* value) {
  if (value == nullptr || value->is_null()) return;
  Json* place = &document.value;
  std::size_t begin = 0;
  for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', begin)) {
    const std::string part = key.substr(begin, dot - begin);
    place = place->is_array() ? &(*place)[std::stoull(part)] : &(*place)[part];
    begin = dot + 1;
  }
  (*place)[key.substr(begin)] = *value;
  document.places[key] = "run.json";
}

std::string shown(const Json* value) {
  return value == nullptr || value->is_null() ? "absent" : dump_json(*value);
}

/// Keys whose values differ; a key that is null is as good as absent.
std::vector<std::string> changed_keys(const Json& then, const Json& now) {
  std::vector<std::string> keys = differing_keys(then, now);
  std::erase_if(keys, [&](const std::string& key) {
    const Json* const before = value_at(then, key);
    const Json* const after = value_at(now, key);
    return (before == nullptr || before->is_null()) && (after == nullptr || after->is_null());
  });
  return keys;
}

std::string list_of(const std::vector<std::string>& keys, const Json& then, const Json& now) {
  std::string text;
  for (const std::string& key : keys) {
    text += concat(text.empty() ? "" : ", ", key, " (", shown(value_at(then, key)), ", now ",
                   shown(value_at(now, key)), ")");
  }
  return text;
}

/// Adds what changes at `step` to the history, in which a later part of the run may have to be done
/// again.
void add_changes(std::vector<ConfigChange>& history, std::int64_t step,
                 const std::vector<std::string>& keys, const Json& then, const Json& now) {
  for (ConfigChange& change : history) change.step = std::min(change.step, step);
  const auto value = [](const Json* found) { return found ? *found : Json(); };
  for (const std::string& key : keys) {
    history.push_back({step, key, value(value_at(then, key)), value(value_at(now, key))});
  }
  // Of several changes of a key at one step the first value and the last one count.
  for (std::size_t i = 0; i < history.size(); ++i) {
    for (std::size_t j = i + 1; j < history.size();) {
      if (history[j].step == history[i].step && history[j].key == history[i].key) {
        history[i].to = history[j].to;
        history.erase(history.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
  std::erase_if(history, [](const ConfigChange& change) { return change.from == change.to; });
}

std::string other_run_remedy(const fs::path& directory) {
  return concat("; go on with its model as a new run (-m ", directory.string(),
                " -o NEW), or start anew with --overwrite");
}

/// Refuses another task or type of model than the run's: its keys would not be understood.
void require_same_kind(const fs::path& directory, const Json& document, const Json& then,
                       const Json& now) {
  struct Kind {
    const char *section, *key, *what;
  };
  static constexpr Kind kKinds[] = {{"task", "task.type", "task"},
                                    {"objective", "objective.type", "objective"},
                                    {"model", "model.model_type", "type of model"}};
  for (const Kind& kind : kKinds) {
    const Json* const before = value_at(then, kind.key);
    const Json* const after = value_at(now, kind.key);
    if (before != nullptr && after != nullptr ? *before == *after : before == after) continue;
    if (after == nullptr && !gives(document, kind.section)) continue;  // it stays as it is
    fail(ErrorCode::kConfig, directory.string(), ": its run was started with another ", kind.what,
         " (", list_of({kind.key}, then, now), "), which cannot change",
         other_run_remedy(directory));
  }
}

bool has_section(const Json& config, const std::string& section) {
  const Json* const value = value_at(config, section);
  return value != nullptr && !value->is_null();
}

/// Refuses a plain run, or one of the other kind, in the place of a run whose trainings are runs of
/// their own.
void require_not_staged(const fs::path& directory, const Json& before, const Json& now) {
  static constexpr std::pair<const char*, const char*> kStaged[] = {
      {"self_training", "self-training"}, {"learning_curve", "learning curve"}};
  for (const auto& [section, kind] : kStaged) {
    require(!has_section(before, section) || has_section(now, section), ErrorCode::kCannotCreate,
            directory.string(), ": holds a ", kind,
            "; choose another run.dir, or start anew with --overwrite");
  }
}

/// The two ways to give a run's length; one of them excludes the other.
bool other_length_is_given(const Json& document, const std::string& key) {
  return (key == "train.steps" && gives(document, "train.epochs")) ||
         (key == "train.epochs" && gives(document, "train.steps"));
}

/// Completes the document and the plan with the run's values of keys that the document does not
/// give; gives the run's configuration as it is read today, with defaults that it had no key for.
Json keep_values(const fs::path& directory, const Json& before, JsonDocument& document,
                 const std::vector<FieldDoc>& fields, const Resolve& resolve, RunPlan& plan) {
  JsonDocument old;
  old.value = before;
  Json then = resolve(old);
  require_same_kind(directory, document.value, then, plan.record.config);
  bool completed = false;
  for (const std::string& key : changed_keys(then, plan.record.config)) {
    if (change_of(fields, key) == Change::kFree || gives(document.value, key) ||
        other_length_is_given(document.value, key))
      continue;
    const Json* value = value_at(then, key);
    put(document, key, value);
    if (value != nullptr) plan.kept.push_back(concat(key, " ", dump_json(*value)));
    completed = true;
  }
  if (completed) plan.record.config = resolve(document);
  return then;
}

}  // namespace

std::optional<RunRecord> read_run(const fs::path& directory) {
  const fs::path file = directory / "run.json";
  if (!is_there(file)) return std::nullopt;
  RunRecord record{load_json(file), {}};
  require(record.config.is_object(), ErrorCode::kData, file.string(), ": expected an object");
  if (record.config.contains(kRunChanges)) {
    try {
      for (const Json& change : record.config[kRunChanges]) {
        record.changes.push_back({change.at("step").get<std::int64_t>(),
                                  change.at("key").get<std::string>(), change.at("from"),
                                  change.at("to")});
      }
    } catch (const Json::exception& error) {
      fail(ErrorCode::kData, file.string(), ": ", kRunChanges, ": ", error.what());
    }
    record.config.erase(kRunChanges);
  }
  return record;
}

Json read_run_config(const fs::path& directory) {
  const auto record = read_run(directory);
  return record ? record->config : Json();
}

RunPlan plan_run(const fs::path& directory, JsonDocument& document,
                 const std::vector<FieldDoc>& fields, const Resolve& resolve,
                 const StartOptions& options) {
  std::error_code ignored;
  require(!fs::exists(directory, ignored) || fs::is_directory(directory, ignored),
          ErrorCode::kCannotCreate, directory.string(),
          ": is no directory; choose another run.dir");
  require_writable(directory);
  RunPlan plan;
  plan.record.config = resolve(document);
  const auto before = read_run(directory);
  const bool removed = options.overwrite || is_there(directory / kOverwriting);
  if (!before && !is_there(directory / kOverwriting)) require_own_content(directory);
  if (before && options.overwrite) require_inputs_outside(directory, plan.record.config, fields);
  if (!before || removed) return plan;
  require_not_staged(directory, before->config, plan.record.config);
  if (list_checkpoints(directory).empty()) return plan;
  require(options.resume, ErrorCode::kCannotCreate, directory.string(),
          ": holds a run; choose another run.dir, go on with run.resume=auto, or start anew with "
          "--overwrite");

  const Json then = keep_values(directory, before->config, document, fields, resolve, plan);
  std::vector<std::string> never, on_request;
  for (const std::string& key : changed_keys(then, plan.record.config)) {
    const Change grade = change_of(fields, key);
    if (grade == Change::kNever) never.push_back(key);
    if (grade == Change::kOnRequest) on_request.push_back(key);
  }
  const Json& now = plan.record.config;
  require(never.empty(), ErrorCode::kConfig, directory.string(),
          ": its run was started with other values of ", list_of(never, then, now),
          ", which cannot change", other_run_remedy(directory));
  require(on_request.empty() || options.change, ErrorCode::kConfig, directory.string(),
          ": its run was started with other values of ", list_of(on_request, then, now),
          "; --change lets it go on with the new ones");
  plan.goes_on = true;
  plan.record.changes = before->changes;
  if (!on_request.empty() || !plan.record.changes.empty()) {
    const auto checkpoint = find_good_checkpoint(directory);
    if (checkpoint) plan.step = read_trainer_state(*checkpoint).step;
    const Json* const steps = value_at(now, "train.steps");
    require(steps == nullptr || !steps->is_number() || *steps >= plan.step, ErrorCode::kConfig,
            directory.string(), ": its run has done ", plan.step, " steps; train.steps (",
            steps ? dump_json(*steps) : "", ") cannot be less", other_run_remedy(directory));
    add_changes(plan.record.changes, plan.step, on_request, then, now);
  }
  return plan;
}

RunPlan plan_staged_run(const fs::path& directory, const std::string& section,
                        const std::string& kind, JsonDocument& document,
                        const std::vector<FieldDoc>& fields, const Resolve& resolve,
                        bool overwrite) {
  const auto before = read_run(directory);
  const bool removed = overwrite || is_there(directory / kOverwriting);
  const bool goes_on = before && !removed && has_section(before->config, section);
  // A plain run that trained nothing blocks nothing.
  require(!before || removed || goes_on || list_checkpoints(directory).empty(),
          ErrorCode::kCannotCreate, directory.string(), ": holds a run without ", kind,
          "; choose another run.dir, or start anew with --overwrite");
  RunPlan plan = plan_run(directory, document, fields, resolve, {.overwrite = overwrite});
  if (!goes_on) return plan;
  const Json then = keep_values(directory, before->config, document, fields, resolve, plan);
  for (const std::string& key : changed_keys(then, plan.record.config)) {
    require(change_of(fields, key) == Change::kFree, ErrorCode::kConfig, directory.string(),
            ": its ", kind, " was started with another value of ", key,
            "; choose another run.dir, or start anew with --overwrite");
  }
  return plan;
}

void open_run(const fs::path& directory, const RunPlan& plan, bool overwrite) {
  remove_stale_temporaries(directory);
  const fs::path marker = directory / kOverwriting;
  const bool remove = is_there(marker) || (overwrite && is_there(directory / "run.json"));
  if (remove) {
    write_file(marker, "");
    for (const char* name : kRunContent) {
      std::error_code error;
      fs::remove_all(directory / name, error);
      require(!error, ErrorCode::kCannotCreate, (directory / name).string(),
              ": cannot be removed: ", error.message());
    }
  }
  for (const std::string& kept : plan.kept)
    log_info("not given, so it stays as the run has it: ", kept);
  Json text = plan.record.config;
  if (!plan.record.changes.empty()) {
    text[kRunChanges] = Json::array();
    for (const ConfigChange& change : plan.record.changes) {
      text[kRunChanges].push_back(
          {{"step", change.step}, {"key", change.key}, {"from", change.from}, {"to", change.to}});
    }
  }
  write_file(directory / "run.json", dump_json(text, 2) + "\n");
  if (remove) {
    std::error_code error;
    fs::remove(marker, error);
    require(!error, ErrorCode::kCannotCreate, marker.string(),
            ": cannot be removed: ", error.message());
  }
}

void write_environment(const fs::path& directory, Json environment) {
  const fs::path file = directory / "environment.json";
  if (is_there(file)) {
    Json earlier = load_json(file);
    Json parts = earlier.contains("earlier") ? earlier["earlier"] : Json::array();
    earlier.erase("earlier");
    parts.push_back(earlier);
    environment["earlier"] = parts;
  }
  write_file(file, dump_json(environment, 2) + "\n");
}

Json read_environment(const fs::path& directory, const std::string& key) {
  const fs::path file = directory / "environment.json";
  if (!is_there(file)) return nullptr;
  const Json environment = load_json(file);
  return environment.contains(key) ? environment.at(key) : Json();
}

}  // namespace llmctl
