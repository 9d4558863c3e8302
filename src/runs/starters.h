// The configurations that `config init` prints: small, commented, ready for the bundled data.
#pragma once

#include <string>
#include <vector>

namespace llmctl {

/// What a command's starters are for: model types and tasks of raw text for "pretrain", tasks for
/// "finetune" and "eval"; empty for commands with one starter only.
std::vector<std::string> starter_kinds(const std::string& command);

/// A commented configuration that runs on the bundled data. An empty `kind` gives the command's
/// usual one. kUsage with did-you-mean for unknown commands and kinds.
std::string starter_config(const std::string& command, const std::string& kind = "");

}  // namespace llmctl
