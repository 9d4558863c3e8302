#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/training_output.h"

namespace llmctl {

void add_pretrain_command(CommandContext context) {
  auto options = std::make_shared<TrainingCommandOptions>();
  CLI::App* command =
      add_command(context.root, context.common, "pretrain",
                  "Train a language model by self-supervision (causal or masked), from nothing or "
                  "from a model directory",
                  "  llmctl pretrain -c configs/pretrain/toy-causal.json\n"
                  "  llmctl pretrain -c configs/pretrain/toy-causal.json --set train.steps=100 "
                  "--set run.dir=runs/short\n"
                  "  llmctl pretrain -c configs/pretrain/llama-124m.json --device cuda --dry-run");
  add_training_options(*command, *options);
  command->callback([options, context] {
    context.action = [options, context] { return run_training_command(context.common, *options); };
  });
}

}  // namespace llmctl
