// What is in a model directory or one of its files, and writing a clean copy of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// What `inspect` tells: a few facts and a table of parts.
struct Inspection {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> columns;             ///< of the parts
  std::vector<std::vector<std::string>> parts;  ///< tensors, files, …
  Json json;                                    ///< the same for machines
};

/// A model, checkpoint or run directory, a shard directory, a .safetensors file, or a tokenizer.
/// `all`: every tensor instead of one line per group of layers. kMissing, kData.
Inspection inspect_path(const std::string& path, bool all);

struct ExportReport {
  std::filesystem::path source, directory;
  std::string architecture;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
  Json to_json() const;
};

/// Writes config.json, model.safetensors in `dtype` ("fp32", "bf16", "fp16") and the tokenizer's
/// files to a directory that does not exist yet or is empty; it appears whole or not at all.
/// kCannotCreate, kMissing, kData, kIo.
ExportReport export_model_directory(const std::string& model,
                                    const std::filesystem::path& directory,
                                    const std::string& dtype, bool dry_run);

}  // namespace llmctl
