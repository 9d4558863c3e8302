// Writing a clean copy of a model, as a directory or as a GGUF file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"
#include "io/shard_index.h"

namespace llmctl {

struct ExportReport {
  std::filesystem::path source, directory;  ///< of GGUF: the file
  std::string architecture;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;  ///< of the weights
  std::string dtype;        ///< of most of them: "fp32", "bf16", "fp16", "int8"; of GGUF its type
  std::string gguf;         ///< how many tensors are of which type: "15 Q8_0, 5 F32"; else empty
  std::vector<std::string> averaged;  ///< the checkpoints whose mean it is, oldest first
  std::vector<std::string> notes;     ///< for users of other programs
  Json to_json() const;
};

struct ExportOptions {
  std::string model;                ///< as `-m` takes it
  std::filesystem::path directory;  ///< that is made
  std::string dtype;                ///< "fp32", "bf16", "fp16"; empty: each as in the model's files
  std::string gguf;  ///< "f32", "f16", "bf16", "q8_0", "q4_0": a file for llama.cpp; empty: none
  /// "int8" or "int4": matrices as integers, as models/quantization.h describes them; empty: as in
  /// the model's files.
  std::string quantize = {};
  std::uint64_t max_shard_bytes = kMaxShardBytes;  ///< of a file of weights
  std::int64_t average = 0;         ///< the mean of so many checkpoints of a run; 0: one model
  std::string average_of = "last";  ///< "last" or "best": which ones
  bool overwrite = false;           ///< another model's directory is replaced
  bool dry_run = false;
};

/// The types that `gguf` names.
const std::vector<std::string>& gguf_type_names();

/// The checkpoints whose mean `average` and `average_of` ask for, oldest first; none where no mean
/// is asked for. The best are those with the best scores of what the newest validation scored: of
/// others it is told that they are left out. kUsage, see run_export().
std::vector<std::filesystem::path> checkpoints_to_average(const ExportOptions& options);

/// Writes config.json, the weights, the tokenizer's files and what else belongs to a model (chat
/// templates, README, licence) to a directory that does not exist yet, is empty, or is replaced; it
/// appears whole or not at all. kCannotCreate, kMissing, kIo; kUsage for the name of a file; kData
/// for weights beyond the range of the dtype. With `gguf` it is one file that is made, likewise, of
/// a causal language model; kData too for what llama.cpp would not compute the same way. A dry run
/// refuses the same and writes nothing. An average (`average`) is of the weights of checkpoints
/// that a run directory holds, tensor by tensor: the newest, or those whose validation scored best.
/// kUsage for what is no run, for adapters, and for fewer checkpoints than asked for.
ExportReport run_export(const ExportOptions& options);

}  // namespace llmctl
