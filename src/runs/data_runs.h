// `data prepare` as a whole.
#pragma once

#include <string>
#include <vector>

#include "config/json.h"
#include "data/prepare/prepare.h"

namespace llmctl {

/// The configuration, with strings of "input" taken for {"path": …}. kConfig.
PrepareConfig read_prepare_config(const JsonDocument& document);

}  // namespace llmctl
