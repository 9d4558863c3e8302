// Shards of given documents, for tests of what reads them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/shard_writer.h"
#include "io/shards.h"

namespace llmctl::test {

/// Writes documents of token ids into `directory` and opens it.
inline std::shared_ptr<const Shards> make_shards(const std::filesystem::path& directory,
                                                 const std::vector<std::vector<TokenId>>& documents,
                                                 std::int64_t vocab_size,
                                                 std::optional<TokenId> end_token = std::nullopt,
                                                 std::uint64_t file_bytes = 1 << 20) {
  std::filesystem::create_directories(directory);
  ShardWriter writer(directory, vocab_size, end_token, file_bytes);
  for (const auto& document : documents) writer.add(document, document.size());
  writer.finish(Json::object());
  return std::make_shared<const Shards>(directory);
}

/// Documents of the given lengths whose tokens count up from 0 through all of them.
inline std::vector<std::vector<TokenId>> counting_documents(
    const std::vector<std::size_t>& lengths) {
  std::vector<std::vector<TokenId>> documents;
  TokenId next = 0;
  for (const std::size_t length : lengths) {
    documents.emplace_back();
    for (std::size_t i = 0; i < length; ++i) documents.back().push_back(next++);
  }
  return documents;
}

}  // namespace llmctl::test
