// Tokenized text on disk: tokens.bin of uint16 or uint32, documents.idx of uint64 starts,
// manifest.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "config/json.h"
#include "io/text_source.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A directory of one corpus, memory-mapped: all documents' tokens end to end (each followed by the
/// end-of-text token where the tokenizer has one), and where each begins.
///   tokens-00000.bin …   raw little-endian uint16 (vocabulary ≤ 65,536) or uint32
///   documents.idx        uint64 little-endian: document starts in tokens, then the total
///   manifest.json        version, dtype, counts, tokenizer fingerprint, sources, SHA-256 of the
///   files; written last
class Shards {
 public:
  explicit Shards(const std::filesystem::path&
                      directory);  ///< kMissing, kData (sizes and manifest are checked)
  std::uint64_t tokens() const { return total_; }
  std::uint64_t documents() const { return documents_.empty() ? 0 : documents_.size() - 1; }
  /// Start of document i; i == documents() is the total.
  std::uint64_t document_start(std::uint64_t i) const { return documents_[i]; }
  /// Copies [begin, begin + out.size()) of the token stream.
  void read(std::uint64_t begin, std::span<std::int64_t> out) const;
  const Json& manifest() const { return manifest_; }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  Json manifest_;
  std::vector<MappedFile> files_;
  std::vector<std::uint64_t> file_starts_;
  MappedFile index_;
  std::span<const std::uint64_t> documents_;
  std::uint64_t total_ = 0;
  int width_ = 2;
};

/// Which documents of a source a shard takes.
struct DocumentSelection {
  enum class Kind { kAll, kHead, kTail, kHashOut, kHashIn } kind = Kind::kAll;
  double fraction = 0;  ///< kTail: the last share of the bytes' documents; kHead: the rest;
                        ///< kHashIn/kHashOut: by hash64 of the text
};

struct TokenizeOptions {
  DocumentSplit split = DocumentSplit::kBlankLine;
  DocumentSelection selection;
  bool append_end = true;  ///< the end-of-text token (eos, else sep) after each document
};

/// Tokenizes files into `cache_root`/<key>, key = hash of the files' contents, the tokenizer's
/// fingerprint and the options; what is there already is reused. Parallel, with progress; the
/// directory appears whole or not at all. kData when nothing is left.
std::shared_ptr<const Shards> tokenize_to_shards(const std::vector<std::filesystem::path>& files,
                                                 const Tokenizer& tokenizer,
                                                 const TokenizeOptions& options,
                                                 const std::filesystem::path& cache_root);

}  // namespace llmctl
