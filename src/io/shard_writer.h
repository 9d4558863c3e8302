// Writes a directory of shards document by document; the one place that knows the format's layout
// besides its reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/files.h"
#include "base/hash.h"
#include "config/json.h"
#include "llmctl/tokenizer.h"

namespace llmctl {

inline constexpr char kShardManifest[] = "manifest.json";
inline constexpr char kShardIndex[] = "documents.idx";
inline constexpr char kShardFormat[] = "llmctl shards";
inline constexpr std::uint64_t kShardVersion = 1;

class ShardWriter {
 public:
  /// Into an existing directory that is not yet visible under its final name. `end_token` (may be
  /// empty) is put behind each document.
  ShardWriter(std::filesystem::path directory, std::int64_t vocab_size,
              std::optional<TokenId> end_token, std::uint64_t file_bytes);

  /// `text_bytes` is the size of the text that the tokens came from. kInternal for an id outside
  /// the vocabulary.
  void add(std::span<const TokenId> document, std::uint64_t text_bytes);
  std::uint64_t tokens() const { return tokens_; }
  std::uint64_t documents() const { return documents_; }

  /// Ends the files and writes the manifest: the writer's own members, then those of `more`.
  void finish(const Json& more);

 private:
  /// A file and the hash of what went into it.
  struct HashedFile {
    explicit HashedFile(const std::filesystem::path& path) : file(path), name(path.filename()) {}
    void write(const void* data, std::size_t size);
    Json finish();
    AtomicFile file;
    Sha256 hash;
    std::string name;
  };

  void put(std::span<const TokenId> ids);

  std::filesystem::path directory_;
  std::int64_t vocab_size_;
  std::optional<TokenId> end_token_;
  std::size_t width_;
  std::uint64_t file_bytes_;
  std::uint64_t tokens_ = 0, documents_ = 0, text_bytes_ = 0;
  HashedFile index_;
  std::unique_ptr<HashedFile> tokens_file_;
  Json files_ = Json::array();
  std::string buffer_;
};

}  // namespace llmctl
