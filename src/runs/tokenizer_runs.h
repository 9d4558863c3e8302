// `tokenizer train`, `encode`, `decode` and `inspect` over files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/inspect.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl {

/// What training on files will take. The sizes of compressed files count four times: what text
/// usually comes to. kMissing.
TrainingEstimate estimate_training_on_files(const TokenizerTrainConfig& config,
                                            const std::vector<std::string>& inputs);

/// Refuses (kCannotCreate) what train_tokenizer_on_files() would refuse to write, before any work.
void check_tokenizer_directory(const std::filesystem::path& directory, bool overwrite);

/// Trains on files, folders and globs (text, .jsonl with a member "text", compressed) and writes a
/// tokenizer directory. `overwrite` replaces one that is there. kMissing, kConfig, kCannotCreate.
TokenizerTrainReport train_tokenizer_on_files(const TokenizerTrainConfig& config,
                                              const std::vector<std::string>& inputs,
                                              const std::filesystem::path& directory,
                                              bool overwrite);

/// Each line of `file` ("-": standard input), .jsonl lines giving their member "text". Invalid
/// UTF-8 is kData with the line.
void for_each_input_text(const std::string& file,
                         const std::function<void(const std::string&)>& text);

/// Compression and pieces of a tokenizer on each file.
std::vector<std::pair<std::string, TokenizerReport>> inspect_tokenizer_on_files(
    const Tokenizer& tokenizer, const std::vector<std::string>& inputs);

}  // namespace llmctl
