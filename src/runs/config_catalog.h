// The configurations that commands read: which is whose, resolved, as a schema, key by key.
#pragma once

#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// Commands that a configuration drives: "pretrain", "finetune", "generate", "eval".
const std::vector<std::string>& configured_commands();

/// `command` when given (kUsage with did-you-mean when unknown), else the one that the document's
/// sections belong to.
std::string config_command(const std::string& command, const JsonDocument& document);

/// Every key with its value, sections chosen by name (model, objective, task, generation) included.
/// kConfig.
Json resolved_config(const std::string& command, const JsonDocument& document);

/// JSON Schema (draft-07) of a command's configuration; sections chosen by name offer each kind.
Json config_schema_of(const std::string& command);

/// One key of a command's configuration.
struct ConfigKey {
  std::string path, type, default_value, help;
  std::string change;  ///< of training: "yes" or "`--change`" where it may change on resume
};

/// Every key, in the order of the sections; those of a section chosen by name carry the kind:
/// "objective (masked_lm).…".
std::vector<ConfigKey> config_keys(const std::string& command);

}  // namespace llmctl
