// Writing a clean copy of a model directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "config/json.h"

namespace llmctl {

struct ExportReport {
  std::filesystem::path source, directory;
  std::string architecture;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;  ///< of the weights
  std::string dtype;        ///< of most of them: "fp32", "bf16", "fp16"
  Json to_json() const;
};

/// Writes config.json, the weights in `dtype` ("fp32", "bf16", "fp16"; empty: each in the dtype
/// that it has in the model's files; in files of at most `max_shard_bytes`), the tokenizer's files
/// and what else belongs to a model (chat templates, README, licence) to a directory that does not
/// exist yet or is empty; it appears whole or not at all. kCannotCreate, kMissing, kIo; kData for
/// weights beyond the range of `dtype`. A dry run refuses the same and writes nothing.
ExportReport export_model_directory(const std::string& model,
                                    const std::filesystem::path& directory,
                                    const std::string& dtype, std::uint64_t max_shard_bytes,
                                    bool dry_run);

}  // namespace llmctl
