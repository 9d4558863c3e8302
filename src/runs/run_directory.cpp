#include "runs/run_directory.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"

namespace llmctl {

namespace {

void collect_differences(const Json& a, const Json& b, const std::string& path,
                         std::vector<std::string>& out) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      const std::string child = path.empty() ? key : path + "." + key;
      if (b.contains(key)) {
        collect_differences(value, b.at(key), child, out);
      } else {
        out.push_back(child);
      }
    }
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key)) out.push_back(path.empty() ? key : path + "." + key);
    }
  } else if (a != b) {
    out.push_back(path);
  }
}

/// Everything that a run writes at the top of its directory.
constexpr std::array kRunContent = {"run.json",    "environment.json", "log.txt", "metrics.jsonl",
                                    "tensorboard", "checkpoints",      "best",    "last"};

}  // namespace

std::vector<std::string> differing_keys(const Json& a, const Json& b) {
  std::vector<std::string> keys;
  collect_differences(a, b, "", keys);
  std::sort(keys.begin(), keys.end());
  return keys;
}

bool may_change_on_resume(const std::string& key) {
  for (const char* exact : {"run.dir", "run.resume", "data.cache", "train.device", "train.threads",
                            "train.patience", "train.max_skipped"}) {
    if (key == exact) return true;
  }
  for (const char* section : {"log", "eval", "checkpoint"}) {
    if (key == section || key.starts_with(std::string(section) + ".")) return true;
  }
  return false;
}

bool prepare_run_directory(const fs::path& directory, const Json& resolved,
                           const std::string& resume, bool overwrite) {
  std::error_code ignored;
  const fs::path config_file = directory / "run.json";
  if (fs::exists(directory, ignored) && !fs::is_directory(directory, ignored)) {
    fail(ErrorCode::kCannotCreate, directory.string(), ": is no directory; choose another run.dir");
  }
  make_directories(directory);
  remove_stale_temporaries(directory);
  if (fs::exists(config_file, ignored)) {
    if (overwrite) {
      for (const char* name : kRunContent) {
        std::error_code error;
        fs::remove_all(directory / name, error);
        require(!error, ErrorCode::kCannotCreate, (directory / name).string(),
                ": cannot be removed: ", error.message());
      }
    } else {
      require(resume != "never", ErrorCode::kCannotCreate, directory.string(),
              ": holds a run; choose another run.dir, go on with run.resume=auto, or start anew "
              "with --overwrite");
      std::string changed;
      for (const auto& key : differing_keys(read_run_config(directory), resolved)) {
        if (!may_change_on_resume(key)) changed += (changed.empty() ? "" : ", ") + key;
      }
      require(changed.empty(), ErrorCode::kConfig, directory.string(),
              ": its run was started with other values of ", changed,
              "; choose another run.dir, or start anew with --overwrite");
      return true;
    }
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name == "lock" || name.starts_with(".")) continue;
    fail(ErrorCode::kCannotCreate, directory.string(), ": holds ", name,
         " but no run.json, so it is no run's; choose another run.dir");
  }
  write_file(config_file, dump_json(resolved, 2) + "\n");
  return false;
}

void write_environment(const fs::path& directory, Json environment) {
  const fs::path file = directory / "environment.json";
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
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
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return nullptr;
  const Json environment = load_json(file);
  return environment.contains(key) ? environment.at(key) : Json();
}

Json read_run_config(const fs::path& directory) {
  const fs::path file = directory / "run.json";
  std::error_code ignored;
  return fs::exists(file, ignored) ? load_json(file) : Json();
}

}  // namespace llmctl
