// The directory of a training run: whose it is, what it holds, and whether a configuration may go
// on with it.
//
//   RUN/run.json   the resolved configuration, every default and absolute paths in it, and under
//                  "changes" what changed on the way: [{"step", "key", "from", "to"}, …]
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"

namespace llmctl {

/// The key of run.json that holds its history.
inline constexpr const char* kRunChanges = "changes";

/// A key that has another value from a step on.
struct ConfigChange {
  std::int64_t step = 0;  ///< steps done with the old value
  std::string key;
  Json from, to;  ///< null: absent
  bool operator==(const ConfigChange&) const = default;
};

/// run.json.
struct RunRecord {
  Json config = Json::object();
  std::vector<ConfigChange> changes;  ///< in the order of their steps
  bool operator==(const RunRecord&) const = default;
};

/// run.json of a directory; nothing when there is none. kData.
std::optional<RunRecord> read_run(const std::filesystem::path& directory);
/// The configuration in it, or null.
Json read_run_config(const std::filesystem::path& directory);

/// How a start meets what the directory holds.
struct StartOptions {
  bool overwrite = false;  ///< remove the run that is there
  bool change = false;     ///< keys of grade kOnRequest may change
  bool resume = true;      ///< false: a run that is there is refused
};

/// What a start with a configuration would do with a directory.
struct RunPlan {
  bool goes_on = false;   ///< with the checkpoint of `step`
  std::int64_t step = 0;  ///< 0: from the beginning
  RunRecord record;       ///< run.json to be
  /// Keys that the document does not give and that keep the run's value instead of today's default.
  std::vector<std::string> kept;
  /// Whether another look found the same directory.
  bool same_start(const RunPlan& other) const {
    return goes_on == other.goes_on && step == other.step && record == other.record;
  }
};

/// How a document becomes a resolved configuration with every default and absolute paths.
using Resolve = std::function<Json(const JsonDocument&)>;

/// Looks, and changes nothing in the directory. A run that has no checkpoint blocks nothing. With
/// one, keys that the document does not give keep the run's values: they are added to it. Keys that
/// differ are judged by their grade in `fields`. Refused: content that is no run's, a file, a place
/// that cannot be written, with `resume` off a run, a plain run where a self-training or a learning
/// curve is, and overwriting a run that a path of the configuration leads into (kCannotCreate);
/// changes that may not be, or not without `change`, naming the keys and the remedy (kConfig).
RunPlan plan_run(const std::filesystem::path& directory, JsonDocument& document,
                 const std::vector<FieldDoc>& fields, const Resolve& resolve,
                 const StartOptions& options);

/// The same for a run whose trainings are runs of their own inside the directory, which the root's
/// `section` asks for and errors call `kind`. Also refused: a run of another kind (kCannotCreate),
/// and any change that changes results (kConfig).
RunPlan plan_staged_run(const std::filesystem::path& directory, const std::string& section,
                        const std::string& kind, JsonDocument& document,
                        const std::vector<FieldDoc>& fields, const Resolve& resolve,
                        bool overwrite);

/// Makes the directory ready for the plan: finishes or does an overwriting, and writes run.json.
/// The caller holds the run's lock.
void open_run(const std::filesystem::path& directory, const RunPlan& plan, bool overwrite);

/// environment.json: versions, device, kernels chosen; the previous parts of the run stay under
/// "earlier".
void write_environment(const std::filesystem::path& directory, Json environment);

/// A key of environment.json, or null.
Json read_environment(const std::filesystem::path& directory, const std::string& key);

}  // namespace llmctl
