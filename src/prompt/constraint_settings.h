// What section "generation" says a text may be: the keys choices, regex, json_schema and grammar.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "text/grammar/token_constraint.h"

namespace llmctl {

struct GenerationConfig;

/// The constraint of a section, files read and its grammar checked; nothing where no key is given.
/// kConfig at the node for several of them and for faults in what the section itself says;
/// kMissing or kData, naming the file, for those of files ("@FILE").
std::optional<ConstraintSpec> constraint_of(const GenerationConfig& config, const ConfigNode& node);

/// The keys of which at most one is given.
const std::vector<std::string>& constraint_keys();

}  // namespace llmctl
