// The files that tokenizers had before tokenizer.json, read into what that would say.
#pragma once

#include <filesystem>

#include "config/json.h"

namespace llmctl {

/// What WordPiece's vocab.txt (a token a line) amounts to under BERT's rules, and GPT-2's
/// vocab.json with merges.txt under those of GPT-2, RoBERTa or Qwen2, as a tokenizer.json. `config`
/// is tokenizer_config.json (null: none), which names the class and switches rules. kData for what
/// is malformed and for classes with other rules, by their name.
Json wordpiece_tokenizer_json(const std::filesystem::path& directory, const Json& config);
Json byte_level_tokenizer_json(const std::filesystem::path& directory, const Json& config);

/// Writes vocab.txt, or vocab.json and merges.txt, from the model of a tokenizer.json, where the
/// class that `config` names is one whose rules those files are read by. True when it is.
bool write_classic_files(const std::filesystem::path& directory, const Json& config,
                         const Json& tokenizer);

}  // namespace llmctl
