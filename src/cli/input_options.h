// --fields, --split and --format: how the texts that a command names are read.
#pragma once

#include "runs/data_runs.h"

namespace CLI {
class App;
}

namespace llmctl {

void add_input_options(CLI::App& command, InputOptions& options);

}  // namespace llmctl
