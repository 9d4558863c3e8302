// What is in a model directory or one of its files.
#pragma once

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

/// How tensors are listed.
enum class Listing {
  kGroups,   ///< a line per kind, whatever its layer
  kTensors,  ///< every tensor
  kTree      ///< modules within modules, with what they hold
};

/// A model, checkpoint, run or adapter directory, a shard directory, a .safetensors, .bin or .gguf
/// file, or a tokenizer. With `statistics` of each tensor (mean, deviation, least, most, zeros,
/// what is not finite), which takes reading them. kMissing, kData.
Inspection inspect_path(const std::string& path, Listing listing, bool statistics);

/// What differs between the tensors of two model directories or files: names and shapes, and for
/// tensors in both the largest and the root-mean-square difference, the largest first. kMissing,
/// kData.
Inspection compare_models(const std::string& first, const std::string& second);

}  // namespace llmctl
