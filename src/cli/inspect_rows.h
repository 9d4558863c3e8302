// inspect rows: what a training learns of its records.
#pragma once

#include "cli/command.h"

namespace llmctl {

void add_rows_command(CLI::App& inspect, const CommandContext& context);

}  // namespace llmctl
