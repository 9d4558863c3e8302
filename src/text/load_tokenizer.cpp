// Which kinds of tokenizer a directory may hold.
#include <array>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/marian_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_location.h"

namespace llmctl {
namespace {

using Loader = std::shared_ptr<const Tokenizer> (*)(const std::filesystem::path& directory,
                                                    const std::string& file);

/// A kind is known by a file in the directory; the first that is there decides.
struct TokenizerKind {
  const char* file;
  Loader load;
};

constexpr std::array kKinds = {
    TokenizerKind{"tokenizer.model", load_sentencepiece_directory},
    TokenizerKind{"spiece.model", load_sentencepiece_directory},
    TokenizerKind{"sentencepiece.bpe.model", load_sentencepiece_directory},
    TokenizerKind{"source.spm", load_marian_directory},
    TokenizerKind{"tokenizer.json", load_huggingface_directory},
    TokenizerKind{"vocab.txt", load_huggingface_directory},
    TokenizerKind{"vocab.json", load_huggingface_directory},
};

std::string supported() {
  std::vector<std::string> files;
  for (const TokenizerKind& kind : kKinds) files.emplace_back(kind.file);
  return join(files);
}

}  // namespace

std::filesystem::path tokenizer_location(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path / "run.json", ignored)) return path;
  for (const TokenizerKind& kind : kKinds) {
    if (std::filesystem::exists(path / kind.file, ignored)) return path;
  }
  for (const char* checkpoint : {"best", "last"}) {
    if (std::filesystem::is_directory(path / checkpoint, ignored)) return path / checkpoint;
  }
  fail(ErrorCode::kMissing, path, ": the run has no checkpoint yet, whose tokenizer it would be");
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& given) {
  const std::filesystem::path path = tokenizer_location(given);
  if (!std::filesystem::exists(path)) {
    fail(ErrorCode::kMissing, path, ": no such file or directory, expected a tokenizer");
  }
  if (std::filesystem::is_directory(path)) {
    for (const TokenizerKind& kind : kKinds) {
      if (std::filesystem::exists(path / kind.file)) return kind.load(path, kind.file);
    }
    fail(ErrorCode::kMissing, path, ": no tokenizer in the directory, expected one of ",
         supported());
  }
  if (path.extension() == ".model" || path.extension() == ".spm") {
    return std::make_shared<SentencePieceTokenizer>(load_sentencepiece_model(path), path.string());
  }
  if (path.extension() == ".json") return load_huggingface_file(path);
  require(path.extension() != ".gguf", ErrorCode::kData, path,
          ": a tokenizer within a GGUF file is not read here; make a directory of it with llmctl "
          "export");
  fail(ErrorCode::kData, path,
       ": not a tokenizer that is supported, expected a SentencePiece .model file, a "
       "tokenizer.json or a directory with one of ",
       supported());
}

}  // namespace llmctl
