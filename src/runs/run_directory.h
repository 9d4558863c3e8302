// The directory of a training run: whose it is, what it holds, and whether a configuration may go
// on with it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// Dotted paths of the keys whose values differ, both ways, sorted.
std::vector<std::string> differing_keys(const Json& a, const Json& b);

/// True for keys that may change between the parts of one run, as they change no result (device and
/// threads change only rounding): run.dir, run.resume, log, eval, checkpoint, data.cache,
/// train.device, train.threads, …
bool may_change_on_resume(const std::string& key);

/// Makes the directory ready for a run of this resolved configuration. Returns true when it goes on
/// with one that is there. An empty or absent directory starts one and gets run.json. Refused:
/// content that is no run's, and with resume "never" a run (kCannotCreate); a run of another
/// configuration (kConfig, naming the keys). With `overwrite` a run that is there is removed first.
bool prepare_run_directory(const std::filesystem::path& directory, const Json& resolved,
                           const std::string& resume, bool overwrite);

/// environment.json: versions, device, kernels chosen; the previous parts of the run stay under
/// "earlier".
void write_environment(const std::filesystem::path& directory, Json environment);

/// A key of environment.json, or null.
Json read_environment(const std::filesystem::path& directory, const std::string& key);

/// run.json of a run directory, or null when there is none.
Json read_run_config(const std::filesystem::path& directory);

}  // namespace llmctl
