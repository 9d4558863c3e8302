#include "runs/data_runs.h"

#include "runs/sections.h"

namespace llmctl {

PrepareConfig read_prepare_config(const JsonDocument& document) {
  JsonDocument completed = document;
  if (completed.value.contains("input") && completed.value["input"].is_array()) {
    for (Json& source : completed.value["input"]) {
      if (source.is_string()) source = Json{{"path", source}};
    }
  }
  PrepareConfig config;
  read_config(root_node(completed), config);
  return config;
}

}  // namespace llmctl
