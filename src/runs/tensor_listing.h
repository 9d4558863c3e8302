// The tensors of models' files, read and listed for people.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "runs/inspect.h"

namespace llmctl {

/// By name; views of mapped files.
using Tensors = std::map<std::string, at::Tensor>;

/// The tensors of a .safetensors or .bin file, a shard index, or a directory. kMissing, kData.
Tensors read_tensors(const std::filesystem::path& path);

/// How a file keeps a tensor where that is no dtype of LibTorch's.
struct StoredForm {
  std::string name;  ///< "Q8_0"
  std::uint64_t bytes = 0;
};

/// Adds facts, a table and JSON of the tensors; with `measure` their statistics too.
void list_tensors(const Tensors& tensors, Listing listing, bool measure, Inspection& out,
                  const std::map<std::string, StoredForm>& stored = {});

}  // namespace llmctl
