// `data prepare` and `data stats` as a whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/json.h"
#include "corpus/prepare.h"
#include "corpus/stats.h"

namespace llmctl {

/// The configuration, with strings of "input" taken for {"path": …}. kConfig.
PrepareConfig read_prepare_config(const JsonDocument& document);

/// Files, folders and globs as sources.
std::vector<SourceConfig> sources_of(const std::vector<std::string>& inputs,
                                     const std::string& split = "blank_line");

/// Of files, or of one directory of shards.
CorpusStats stats_of(const std::vector<std::string>& inputs, const std::string& split,
                     const std::shared_ptr<const Tokenizer>& tokenizer,
                     const StatsOptions& options);

}  // namespace llmctl
