// Clean copies of models and facts about them.
#pragma once

#include <filesystem>
#include <string>

namespace llmctl {

/// `llmctl export`: weights in `dtype` ("fp32", "bf16", "fp16"; empty: as the model's files have
/// them), config and tokenizer, to a new directory.
void export_model(const std::string& model, const std::filesystem::path& directory,
                  const std::string& dtype = "");

/// `llmctl inspect --json` of a model, checkpoint, run or shard directory, a safetensors file or a
/// tokenizer.
std::string inspect(const std::string& path);

}  // namespace llmctl
