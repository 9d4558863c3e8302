// Tokenized text on disk: tokens-*.bin of uint16 or uint32, documents.idx of uint64 starts,
// manifest.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "config/json.h"
#include "llmctl/tokenizer.h"

namespace llmctl {

/// A directory of one corpus, memory-mapped: all documents' tokens end to end (each followed by the
/// end-of-text token where the tokenizer has one), and where each begins.
///   tokens-00000.bin …   raw little-endian uint16 (vocabulary ≤ 65,536) or uint32
///   documents.idx        uint64 little-endian: document starts in tokens, then the total
///   manifest.json        version, dtype, counts, tokenizer, sources, SHA-256 of the files; written
///                        last
class Shards {
 public:
  /// kMissing, kData (naming the file; sizes, counts and the index are checked, hashes are not).
  explicit Shards(const std::filesystem::path& directory);

  std::uint64_t tokens() const { return total_; }
  std::uint64_t documents() const { return documents_.size() - 1; }
  /// Start of document i; i == documents() is the total.
  std::uint64_t document_start(std::uint64_t i) const { return documents_[i]; }
  /// The document that holds a token; token < tokens().
  std::uint64_t document_of(std::uint64_t token) const;
  /// Copies [begin, begin + out.size()) of the token stream. kData for an id outside the
  /// vocabulary.
  void read(std::uint64_t begin, std::span<std::int64_t> out) const;

  std::int64_t vocab_size() const { return vocab_size_; }
  /// Bytes of text that the documents held.
  std::uint64_t text_bytes() const { return text_bytes_; }
  /// What ends each document, if anything.
  std::optional<TokenId> end_token() const { return end_token_; }
  /// SHA-256 of the contents: equal shards have equal fingerprints wherever they are.
  const std::string& fingerprint() const { return fingerprint_; }
  const Json& manifest() const { return manifest_; }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  template <class Stored>
  void read_as(std::uint64_t begin, std::span<std::int64_t> out) const;

  std::filesystem::path directory_;
  Json manifest_;
  std::vector<MappedFile> files_;
  std::vector<std::uint64_t> file_starts_;  // first token of each file, then the total
  MappedFile index_;
  std::span<const std::uint64_t> documents_;
  std::uint64_t total_ = 0, text_bytes_ = 0;
  std::int64_t vocab_size_ = 0;
  std::optional<TokenId> end_token_;
  std::string fingerprint_;
  std::size_t width_ = 2;  // bytes per token
};

}  // namespace llmctl
