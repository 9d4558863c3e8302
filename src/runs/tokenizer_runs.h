// `tokenizer train`, `encode`, `decode` and `inspect` over files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/json.h"
#include "runs/data_runs.h"
#include "text/inspect.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl {

/// What training on files will take. The sizes of compressed files count four times: what text
/// usually comes to. kMissing.
TrainingEstimate estimate_training_on_files(const TokenizerTrainConfig& config,
                                            const InputOptions& inputs);

/// Refuses (kCannotCreate) what train_tokenizer_on_files() would refuse to write, before any work.
void check_tokenizer_directory(const std::filesystem::path& directory, bool overwrite);

/// Trains on texts in the formats that `data prepare` reads and writes a tokenizer directory.
/// `overwrite` replaces one that is there, which stays whole until the new one is. kMissing, kData,
/// kConfig, kCannotCreate.
/// `targets`: texts of a target language with a model of its own (recipe translation), or nothing.
TokenizerTrainReport train_tokenizer_on_files(const TokenizerTrainConfig& config,
                                              const InputOptions& inputs,
                                              const std::filesystem::path& directory,
                                              bool overwrite, const InputOptions& targets = {});

/// Each line of `file` ("-": standard input), or the text of each record of a file of records.
/// Invalid UTF-8 is kData with the line.
void for_each_input_text(const std::string& file,
                         const std::function<void(const std::string&)>& text);

/// Compression and pieces of a tokenizer on each file.
std::vector<std::pair<std::string, TokenizerReport>> inspect_tokenizer_on_files(
    const Tokenizer& tokenizer, const InputOptions& inputs);

}  // namespace llmctl
