#include "runs/data_runs.h"

#include "io/shard_writer.h"
#include "runs/sections.h"

namespace llmctl {
namespace {

/// The names between commas.
std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

}  // namespace

PrepareConfig read_prepare_config(const JsonDocument& document, const InputOptions& options) {
  JsonDocument completed = document;
  Json common = Json::object();  // what holds for every source
  if (completed.value.contains("input")) {
    Json& input = completed.value["input"];
    if (input.is_string()) input = Json::array({input});
    if (input.is_object() && input.contains("path")) input = Json::array({input});
    if (input.is_object()) common = std::exchange(input, Json::array());
  }
  if (!options.fields.empty()) common["fields"] = listed(options.fields);
  if (!options.split.empty()) common["split"] = options.split;
  if (!options.format.empty()) common["format"] = options.format;
  if (!options.inputs.empty()) completed.value["input"] = options.inputs;
  if (completed.value.contains("input") && completed.value["input"].is_array()) {
    for (Json& source : completed.value["input"]) {
      if (source.is_string()) source = Json{{"path", source}};
      if (!source.is_object()) continue;
      for (const auto& [key, value] : common.items()) source[key] = value;
      if (source.contains("fields") && source["fields"].is_string()) {
        source["fields"] = listed(source["fields"].get<std::string>());
      }
    }
  }
  PrepareConfig config;
  read_config(root_node(completed), config);
  return config;
}

std::vector<SourceConfig> sources_of(const InputOptions& options) {
  std::vector<SourceConfig> sources;
  for (const std::string& input : options.inputs) {
    SourceConfig source;
    source.path = input;
    if (!options.split.empty()) source.split = options.split;
    if (!options.format.empty()) source.format = options.format;
    source.fields_of_text = listed(options.fields);
    sources.push_back(source);
  }
  return sources;
}

CorpusStats stats_of(const InputOptions& inputs, const std::shared_ptr<const Tokenizer>& tokenizer,
                     const StatsOptions& options) {
  const std::filesystem::path first = inputs.inputs.front();
  if (inputs.inputs.size() == 1 && std::filesystem::exists(first / kShardIndex)) {
    return shard_stats(first, tokenizer, options);
  }
  return corpus_stats(sources_of(inputs), tokenizer, options);
}

}  // namespace llmctl
