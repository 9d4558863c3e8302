// -m: what users call a model → its directory.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "models/model.h"

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
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface" / "hub";
  }
  return fs::path(variable("HOME")) / ".cache" / "huggingface" / "hub";
}

/// The snapshot of a name's main branch in the cache, or an empty path.
fs::path find_in_cache(std::string name) {
  for (std::size_t at; (at = name.find('/')) != std::string::npos;) name.replace(at, 1, "--");
  const fs::path model = hub_cache() / ("models--" + name);
  const fs::path reference = model / "refs" / "main";
  if (!fs::is_regular_file(reference)) return {};
  std::string commit = read_file(reference, 4096);
  commit.erase(
      std::find_if(commit.begin(), commit.end(), [](unsigned char c) { return std::isspace(c); }),
      commit.end());
  if (!is_name_part(commit)) return {};
  const fs::path snapshot = model / "snapshots" / commit;
  return fs::exists(snapshot / "config.json") ? snapshot : fs::path();
}

}  // namespace

fs::path resolve_model_directory(const std::string& text) {
  require(!text.empty(), ErrorCode::kUsage, "the model has no name");
  const fs::path path = text;
  if (fs::is_directory(path)) {
    if (fs::exists(path / "config.json")) return path;
    if (fs::exists(path / "run.json")) {
      for (const char* link : {"best", "last"}) {
        const fs::path checkpoint = path / link;
        if (fs::exists(checkpoint / "config.json")) return fs::canonical(checkpoint);
      }
      fail(ErrorCode::kMissing, text, ": the run has no checkpoint yet");
    }
    fail(ErrorCode::kMissing, text,
         ": neither a model directory (no config.json) nor a run directory (no run.json)");
  }
  require(!fs::exists(path), ErrorCode::kMissing, text, ": expected a directory, got a file");
  require(looks_like_name(text), ErrorCode::kMissing, text, ": no such directory");
  const fs::path cached = find_in_cache(text);
  require(!cached.empty(), ErrorCode::kMissing, text,
          ": no such directory, nor in the Hugging Face cache ", hub_cache().string(),
          "; to download it: huggingface-cli download ", text);
  return cached;
}

}  // namespace llmctl
