// Writing a clean copy of a model directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "config/json.h"
#include "io/shard_index.h"

namespace llmctl {

struct ExportReport {
  std::filesystem::path source, directory;
  std::string architecture;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;  ///< of the weights
  std::string dtype;        ///< of most of them: "fp32", "bf16", "fp16"
  Json to_json() const;
};

struct ExportOptions {
  std::string model;                ///< as `-m` takes it
  std::filesystem::path directory;  ///< that is made
  std::string dtype;                ///< "fp32", "bf16", "fp16"; empty: each as in the model's files
  std::uint64_t max_shard_bytes = kMaxShardBytes;  ///< of a file of weights
  bool overwrite = false;                          ///< another model's directory is replaced
  bool dry_run = false;
};

/// Writes config.json, the weights, the tokenizer's files and what else belongs to a model (chat
/// templates, README, licence) to a directory that does not exist yet, is empty, or is replaced; it
/// appears whole or not at all. kCannotCreate, kMissing, kIo; kUsage for the name of a file; kData
/// for weights beyond the range of the dtype. A dry run refuses the same and writes nothing.
ExportReport export_model_directory(const ExportOptions& options);

}  // namespace llmctl
