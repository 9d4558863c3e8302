// The index of a model whose tensors are spread over several files: Hugging Face's
// model.safetensors.index.json and pytorch_model.bin.index.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace llmctl {

/// Of the files of a saved model, unless asked otherwise.
inline constexpr std::uint64_t kMaxShardBytes = 5'000'000'000;

/// Tensor name → path of the file that the index says it is in: files with the ending `extension`
/// in the index's own directory, given by their plain names, whose symbolic links may lead only to
/// the blobs of a Hugging Face cache. kMissing, kData.
std::map<std::string, std::filesystem::path> read_shard_index(const std::filesystem::path& index,
                                                              const std::string& extension);

}  // namespace llmctl
