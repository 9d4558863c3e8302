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

/// Lines of a merges file, as pairs; kData for a line of another form.
Json read_merges_file(const std::filesystem::path& path);

}  // namespace llmctl
