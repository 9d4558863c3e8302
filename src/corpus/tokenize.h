// Raw text into a cache of token shards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/shards.h"
#include "io/text_source.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Which documents of a source a shard takes.
struct DocumentSelection {
  enum class Kind {
    kAll,
    kHead,  ///< what kTail leaves
    /// Of each file, the documents that begin in the last `fraction` of its text's bytes. A file
    /// that is one document (DocumentSplit::kFile) is itself cut, at the character boundary at or
    /// below 1 - `fraction`.
    kTail,
    kHashOut,  ///< what kHashIn leaves
    kHashIn    ///< a share of `fraction`, by hash64 of the text: equal texts stay together
  } kind = Kind::kAll;
  double fraction = 0;
};

struct TokenizeOptions {
  DocumentSplit split = DocumentSplit::kBlankLine;
  std::string format = "auto";      ///< as SourceConfig's
  std::vector<std::string> fields;  ///< of records; empty: found by themselves
  DocumentSelection selection = {};
  bool append_end = true;  ///< the end-of-text token (eos, else sep) after each document
  std::uint64_t file_bytes = std::uint64_t{1} << 30;  ///< largest tokens-*.bin
};

/// What tokenize_to_shards() would refuse before it reads any text: files that are no text, shards
/// of another tokenizer or with a share held out. kMissing, kData, kConfig.
void check_sources(const std::vector<std::filesystem::path>& files, const Tokenizer& tokenizer,
                   const TokenizeOptions& options);

/// The files of a directory of shards (as `data prepare` makes) are taken as they are; kData for
/// those of another tokenizer. Texts, in the formats that `data prepare` reads, are tokenized into
/// `cache_root`/<key>, key = hash of the files' contents, the tokenizer's fingerprint and what it
/// makes of a probe text (so that a mended tokenizer keeps no old ids), and the options; what is
/// there already is reused,
/// and processes that want the same wait for the first. Parallel, in bounded memory, with progress;
/// the directory appears whole or not at all. kData when nothing is left, kTemporary when a signal
/// asks to stop.
std::shared_ptr<const Shards> tokenize_to_shards(const std::vector<std::filesystem::path>& files,
                                                 const Tokenizer& tokenizer,
                                                 const TokenizeOptions& options,
                                                 const std::filesystem::path& cache_root);

}  // namespace llmctl
