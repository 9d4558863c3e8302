#include "runs/resolve.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "config/json.h"
#include "io/gguf.h"
#include "models/lora.h"
#include "models/weight_files.h"
#include "train/checkpoint.h"

namespace llmctl {
namespace {

bool is_name_part(const std::string& text) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

/// "org/name" or "name", as the hub writes them.
bool looks_like_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return is_name_part(text);
  return is_name_part(text.substr(0, slash)) && is_name_part(text.substr(slash + 1));
}

fs::path hub_cache() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value ? value : "");
  };
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string cache = variable(name); !cache.empty()) return cache;
  }
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface" / "hub";
  }
  return fs::path(variable("HOME")) / ".cache" / "huggingface" / "hub";
}

/// The name with the organisation that the hub has since put before models of its first years.
std::string full_name(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  constexpr std::pair<const char*, const char*> kOwners[] = {
      {"bert-", "google-bert"},      {"gpt2", "openai-community"},
      {"roberta-", "FacebookAI"},    {"t5-", "google-t5"},
      {"distilgpt2", "distilbert"},  {"distilroberta-", "distilbert"},
      {"distilbert-", "distilbert"}, {"xlm-roberta-", "FacebookAI"},
      {"albert-", "albert"}};
  for (const auto& [begin, owner] : kOwners) {
    if (name.starts_with(begin)) return concat(owner, "/", name);
  }
  return name;
}

/// The snapshot of a name's main branch in the cache, or its only one; else an empty path.
fs::path find_in_cache(std::string name) {
  for (std::size_t at; (at = name.find('/')) != std::string::npos;) name.replace(at, 1, "--");
  const fs::path model = hub_cache() / ("models--" + name);
  std::error_code ignored;
  std::vector<fs::path> snapshots;
  if (const fs::path reference = model / "refs" / "main"; fs::is_regular_file(reference)) {
    std::string commit = read_file(reference, 4096);
    commit.erase(
        std::find_if(commit.begin(), commit.end(), [](unsigned char c) { return std::isspace(c); }),
        commit.end());
    if (is_name_part(commit)) snapshots.push_back(model / "snapshots" / commit);
  } else {
    for (const auto& entry : fs::directory_iterator(model / "snapshots", ignored)) {
      snapshots.push_back(entry.path());
    }
  }
  const bool found = snapshots.size() == 1 && fs::exists(snapshots[0] / "config.json", ignored);
  return found ? snapshots[0] : fs::path();
}

bool is_model_directory(const fs::path& path) {
  return fs::exists(path / "config.json") || is_adapter_directory(path);
}

/// Of an output directory of transformers' Trainer: its best checkpoint, as the state beside the
/// newest one calls it, else the newest; an empty path without any.
fs::path trainer_checkpoint(const fs::path& directory) {
  const std::string prefix = "checkpoint-";
  std::map<std::int64_t, fs::path> checkpoints;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !is_model_directory(entry.path())) continue;
    const std::string step = name.substr(prefix.size());
    if (step.empty() || step.size() > 12 ||
        step.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    checkpoints[std::stoll(step)] = entry.path();
  }
  if (checkpoints.empty()) return {};
  const fs::path last = checkpoints.rbegin()->second;
  const fs::path state = last / "trainer_state.json";
  if (!fs::exists(state, ignored)) return last;
  const Json json = load_json(state);
  const auto best = json.is_object() ? json.find("best_model_checkpoint") : json.end();
  if (!json.is_object() || best == json.end() || !best->is_string()) return last;
  // The path is one of the machine that trained.
  const fs::path named = directory / fs::path(best->get<std::string>()).filename();
  return is_model_directory(named) ? named : last;
}

}  // namespace

fs::path resolve_model_directory(const std::string& text) {
  require(!text.empty(), ErrorCode::kUsage, "the model has no name");
  const fs::path path = expand_home(text);
  if (fs::is_directory(path)) {
    if (is_model_directory(path)) return path;
    if (fs::exists(path / "run.json")) {
      for (const char* link : {"best", "last"}) {
        const auto checkpoint = linked_checkpoint(path, link);
        if (checkpoint && is_model_directory(*checkpoint)) return *checkpoint;
      }
      fail(ErrorCode::kMissing, text, ": the run has no checkpoint yet");
    }
    if (const fs::path checkpoint = trainer_checkpoint(path); !checkpoint.empty()) {
      log_info(text, " has no model of its own: ", checkpoint.filename().string(), " is taken");
      return checkpoint;
    }
    refuse_other_formats(path);
    fail(ErrorCode::kMissing, text,
         ": neither a model directory (no config.json) nor a run directory (no run.json)");
  }
  if (fs::exists(path)) {
    if (is_gguf_file(path)) return path;
    require(path.extension() != ".gguf", ErrorCode::kData, text,
            ": does not begin with \"GGUF\": not a GGUF file");
    fail(ErrorCode::kMissing, text, ": expected a directory, got a file");
  }
  require(looks_like_name(text), ErrorCode::kMissing, text, ": no such directory");
  fs::path cached = find_in_cache(text);
  if (cached.empty()) cached = find_in_cache(full_name(text));
  require(!cached.empty(), ErrorCode::kMissing, text,
          ": no such directory, nor in the Hugging Face cache ", hub_cache().string(),
          "; to download it: hf download ", full_name(text));
  return cached;
}

fs::path base_directory(const fs::path& adapter) {
  return adapter_base(adapter, resolve_model_directory);
}

fs::path config_directory(const fs::path& directory) {
  return is_adapter_directory(directory) ? base_directory(directory) : directory;
}

}  // namespace llmctl
