// Which kinds of tokenizer a directory may hold.
#include <array>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer.h"

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
};

/// Files of kinds that cannot be read.
constexpr std::array kOtherFiles = {"tokenizer.json", "vocab.txt",  "vocab.json",
                                    "merges.txt",     "source.spm", "tokenizer.spm"};

std::string supported() {
  std::string list;
  for (const TokenizerKind& kind : kKinds) list += concat(list.empty() ? "" : ", ", kind.file);
  return list;
}

}  // namespace

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    fail(ErrorCode::kMissing, path, ": no such file or directory, expected a tokenizer");
  }
  if (std::filesystem::is_directory(path)) {
    for (const TokenizerKind& kind : kKinds) {
      if (std::filesystem::exists(path / kind.file)) return kind.load(path, kind.file);
    }
    for (const char* file : kOtherFiles) {
      if (!std::filesystem::exists(path / file)) continue;
      fail(ErrorCode::kData, path, ": a tokenizer of ", file,
           " alone is not supported, expected a SentencePiece model (", supported(), ")");
    }
    fail(ErrorCode::kMissing, path, ": no tokenizer in the directory, expected one of ",
         supported());
  }
  if (path.extension() == ".model" || path.extension() == ".spm") {
    return std::make_shared<SentencePieceTokenizer>(load_sentencepiece_model(path), path.string());
  }
  fail(ErrorCode::kData, path,
       ": not a tokenizer that is supported, expected a SentencePiece .model file or a directory "
       "with ",
       supported());
}

}  // namespace llmctl
