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
  std::uint64_t bytes = 0;
  Json to_json() const;
};

/// Writes config.json, the weights in `dtype` ("fp32", "bf16", "fp16"; in files of at most
/// `max_shard_bytes`) and the tokenizer's files to a directory that does not exist yet or is empty;
/// it appears whole or not at all. kCannotCreate, kMissing, kData, kIo.
ExportReport export_model_directory(const std::string& model,
                                    const std::filesystem::path& directory,
                                    const std::string& dtype, std::uint64_t max_shard_bytes,
                                    bool dry_run);

}  // namespace llmctl
