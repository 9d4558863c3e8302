#include "runs/validation_fingerprint.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/hash.h"
#include "config/json.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

/// A file, or the files of a directory of shards in the order of their names.
std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string validation_fingerprint(const TaskData& data, const Task& task,
                                   const ConfigNode& section) {
  Sha256 digest;
  for (const fs::path& named : data.valid) {
    for (const fs::path& path : task.files_with(named)) {
      for (const fs::path& file : files_of(path)) digest.update(sha256_file(file));
    }
  }
  const TaskKind& kind = task_kind_of(section);
  const Json keys = kind.resolve(section);
  const std::vector<FieldDoc> fields = kind.describe();
  Json scored = {{"valid_tokens", data.valid_tokens}, {"skip_bad", data.skip_bad}};
  for (const auto& [key, value] : keys.items())
    if (change_of(fields, key) == Change::kFree) scored[key] = value;
  digest.update(dump_json(scored));
  return digest.hex();
}

}  // namespace llmctl
