// `data prepare` and `data stats` as a whole.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "corpus/prepare.h"
#include "corpus/stats.h"

namespace llmctl {

/// How the texts named on a command line are read: the flags --fields, --split and --format.
struct InputOptions {
  std::vector<std::string> inputs;  ///< files, folders and globs
  std::string fields;               ///< names with commas between; empty: found by themselves
  std::string split = "";           ///< empty: blank_line
  std::string format = "";          ///< empty: auto
};

/// The configuration, with strings of "input" taken for {"path": …} and a single one for a list of
/// one. Inputs of the command line replace the configuration's; "input" as an object without a path
/// and the flags say how all of them are read. kConfig.
PrepareConfig read_prepare_config(const JsonDocument& document, const InputOptions& options = {});

/// Files, folders and globs as sources.
std::vector<SourceConfig> sources_of(const InputOptions& options);

/// Of files, or of one directory of shards.
CorpusStats stats_of(const InputOptions& inputs, const std::shared_ptr<const Tokenizer>& tokenizer,
                     const StatsOptions& options);

}  // namespace llmctl
