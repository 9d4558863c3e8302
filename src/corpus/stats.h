// What is in a corpus or in shards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "corpus/prepare_config.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Lengths of documents.
struct LengthSummary {
  std::uint64_t least = 0, median = 0, p90 = 0, p99 = 0, most = 0;
  double mean = 0;
  /// Documents of length [2^i, 2^(i+1)).
  std::vector<std::uint64_t> octaves;
};

struct CorpusStats {
  std::uint64_t documents = 0, bytes = 0, characters = 0;
  std::optional<std::uint64_t> tokens;           ///< with a tokenizer, and of shards
  std::uint64_t duplicates = 0;                  ///< documents equal to an earlier one
  std::optional<std::uint64_t> near_duplicates;  ///< and those nearly equal to an earlier one
  std::string length_unit;                       ///< "tokens" or "characters"
  LengthSummary lengths;
  std::map<std::string, std::uint64_t> languages;  ///< documents by language; empty without CLD2
  /// The most frequent tokens (words without a tokenizer), and how often they occur.
  std::vector<std::pair<std::string, std::uint64_t>> frequent;

  Json to_json() const;
};

struct StatsOptions {
  std::size_t frequent = 20;     ///< tokens to list
  bool near_duplicates = false;  ///< as `deduplicate` of data prepare finds them by default
};

/// Of the documents of files, on several threads; tokens where there is a tokenizer. Memory: 12
/// bytes for each document, and the words of at most a million kinds; near duplicates take a
/// temporary file of 512 bytes for each. kMissing, kData.
CorpusStats corpus_stats(const std::vector<SourceConfig>& sources,
                         const std::shared_ptr<const Tokenizer>& tokenizer,
                         const StatsOptions& options);
/// Of a directory of shards; `tokenizer` names the tokens, and is needed (kUsage) for near
/// duplicates, which are those of the documents' text.
CorpusStats shard_stats(const std::filesystem::path& directory,
                        const std::shared_ptr<const Tokenizer>& tokenizer,
                        const StatsOptions& options);

/// The code, or "unknown" for CLD2's "un".
std::string language_name(const std::string& code);

/// A page with its numbers and charts; `about` says at its end how it was made.
std::string stats_page(const std::string& title, const CorpusStats& stats,
                       const std::vector<std::pair<std::string, std::string>>& about = {});

}  // namespace llmctl
