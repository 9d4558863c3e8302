// A directory's tokenizer, whichever of the files it has.
#include "base/error.h"
#include "base/files.h"
#include "text/huggingface/classic_files.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

/// tokenizer_config.json with what special_tokens_map.json adds; null where neither is there.
Json read_config(const std::filesystem::path& directory) {
  Json config;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::filesystem::path path = directory / name;
    if (!std::filesystem::exists(path)) continue;
    const Json json = load_json(path);
    if (!json.is_object()) fail(ErrorCode::kData, path, ": expected an object");
    if (config.is_null()) config = Json::object();
    for (const auto& [key, value] : json.items()) {
      if (!config.contains(key)) config[key] = value;
    }
  }
  keep_chat_template(directory, config);
  return config;
}

}  // namespace

std::shared_ptr<const Tokenizer> load_huggingface_directory(const std::filesystem::path& directory,
                                                            const std::string& file) {
  TokenizerFiles files;
  files.config = read_config(directory);
  files.place = (directory / file).string();
  if (file == "vocab.txt") {
    files.tokenizer = wordpiece_tokenizer_json(directory, files.config);
  } else if (file == "vocab.json") {
    if (!std::filesystem::exists(directory / "merges.txt")) {
      fail(ErrorCode::kMissing, directory / "merges.txt", ": no such file, vocab.json needs it");
    }
    files.tokenizer = byte_level_tokenizer_json(directory, files.config);
  } else {
    files.tokenizer = load_json(directory / file);
  }
  return std::make_shared<HuggingFaceTokenizer>(std::move(files));
}

std::shared_ptr<const Tokenizer> load_huggingface_file(const std::filesystem::path& path) {
  return std::make_shared<HuggingFaceTokenizer>(
      TokenizerFiles{load_json(path), nullptr, path.string()});
}

}  // namespace llmctl
