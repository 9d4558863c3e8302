// What users call a model → its directory.
#pragma once

#include <filesystem>
#include <string>

namespace llmctl {

/// -m DIR: a model directory, a GGUF file, an adapter's, a checkpoint, or a run directory (its
/// best, else last, checkpoint), or an output directory of transformers' Trainer (its best, else
/// newest checkpoint); or an org/name in the local Hugging Face cache. kMissing, with the download
/// command when it looks like a name.
std::filesystem::path resolve_model_directory(const std::string& text);

/// The directory of an adapter's base. kMissing, kData.
std::filesystem::path base_directory(const std::filesystem::path& adapter);

/// Where a model's config.json is: in its directory, or in that of an adapter's base.
std::filesystem::path config_directory(const std::filesystem::path& directory);

}  // namespace llmctl
