// A raw corpus becomes clean, deduplicated training data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"
#include "corpus/prepare_config.h"
#include "corpus/readers.h"

namespace llmctl {

struct PrepareOptions {
  bool overwrite = false;  ///< prepared data that the directory holds is replaced
  /// Text of the sources that is cleaned before the work so far is made safe.
  std::uint64_t segment_bytes = std::uint64_t{32} << 20;
};

/// Reads the sources, cleans each document on several threads, finds duplicates over all of them,
/// splits and tokenizes. The directory `config.output` appears when all is done:
///   manifest.json   counts and examples of every step, sources with SHA-256, settings
///   report.html     the counts and examples as a page
///   train/, valid/, test/   shards, with a tokenizer
///   train.jsonl, …  {"text": …} a line, without one or with write_text
///   dropped.jsonl   with write_dropped: {"source", "place", "rule", "like", "text"} a line for
///   each
///                   document (as it was read) and paragraph that was dropped; "like": the document
///                   that a near duplicate is like
/// The result is the same whatever the number of threads. Until then the work stands in
/// OUTPUT.partial, where the same call goes on after an interruption. Memory: some tens of
/// megabytes, and 32 bytes for each document (48 while near duplicates are looked for). Returns the
/// manifest. kConfig, kMissing, kData, kCannotCreate, kIo, kTemporary when interrupted.
Json prepare_data(const PrepareConfig& config, const PrepareOptions& options = {});

/// Refuses (kUsage, kCannotCreate) a directory that prepare_data() would not write: none, one with
/// other files in it, one that holds one of the `files` that are prepared, one whose .partial is
/// something else.
void check_preparation_output(const std::filesystem::path& output, bool overwrite,
                              const std::vector<SourceFile>& files);

/// What would be done: the files, and the steps in order. Refuses what prepare_data() refuses
/// before its work.
Json plan_preparation(const PrepareConfig& config, bool overwrite = false);

}  // namespace llmctl
