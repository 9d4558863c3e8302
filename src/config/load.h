// From files, --set and --unset to one document: "extends" resolved, later wins, places kept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// Reads the file (comments allowed), merges it over what its "extends" (a path, or a list,
/// relative to it) gives, and drops "$schema". Cycles are errors. Objects merge key by key;
/// anything else replaces. A section chosen by a name (key "type" or "model_type") that changes its
/// name starts afresh. Errors are kConfig, a missing file kMissing.
JsonDocument load_config_file(const std::filesystem::path& path);

/// Merges `over` into `base`, places included.
void merge_config(JsonDocument& base, const JsonDocument& over);

/// Applies "key.path=value": the value is parsed as JSON, else taken as a string; numbers index
/// arrays. Intermediate objects are made. The place becomes "--set key.path".
void set_config_value(JsonDocument& document, const std::string& assignment);

/// Removes the key, if present.
void unset_config_value(JsonDocument& document, const std::string& path);

}  // namespace llmctl
