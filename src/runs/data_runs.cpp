#include "runs/data_runs.h"

#include "io/shard_writer.h"
#include "runs/sections.h"

namespace llmctl {

PrepareConfig read_prepare_config(const JsonDocument& document) {
  PrepareConfig config;
  read_config(root_node(document), config);
  return config;
}

std::vector<SourceConfig> sources_of(const std::vector<std::string>& inputs,
                                     const std::string& split) {
  std::vector<SourceConfig> sources;
  for (const std::string& input : inputs) {
    SourceConfig source;
    source.path = input;
    source.split = split;
    sources.push_back(source);
  }
  return sources;
}

CorpusStats stats_of(const std::vector<std::string>& inputs, const std::string& split,
                     const std::shared_ptr<const Tokenizer>& tokenizer,
                     const StatsOptions& options) {
  const std::filesystem::path first = inputs.front();
  if (inputs.size() == 1 && std::filesystem::exists(first / kShardIndex)) {
    return shard_stats(first, tokenizer, options);
  }
  return corpus_stats(sources_of(inputs, split), tokenizer, options);
}

}  // namespace llmctl
