// What `pretrain` and `finetune` have in common on the command line: flags and the closing table.
#pragma once

#include <string>

#include "cli/command.h"
#include "runs/training.h"

namespace llmctl {

struct TrainingCommandOptions {
  ConfigOptions config;
  std::string command, model, run_dir, device;
  std::vector<double> shares;  // of a learning curve
  bool overwrite = false, change = false, skip_bad = false;
};

void add_training_options(CLI::App& command, TrainingCommandOptions& options);

/// Runs it and prints the plan or the closing table (best step, scores, the directory to load, the
/// next command).
int run_training_command(const CommonOptions& common, TrainingCommandOptions options);

/// The closing table of a run; after an interruption it names the command that goes on with it.
std::string training_table(const TrainingReport& report,
                           const std::vector<std::string>& command_line);

}  // namespace llmctl
