// Where a tokenizer is that somebody names by a training run.
#pragma once

#include <filesystem>

namespace llmctl {

/// A run directory's is that of its best, else last, checkpoint; of any other path, and of one with
/// a tokenizer in itself, it is the path.
/// kMissing for a run without a checkpoint.
std::filesystem::path tokenizer_location(const std::filesystem::path& path);

}  // namespace llmctl
