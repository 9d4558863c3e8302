#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/training_output.h"

namespace llmctl {

void add_finetune_command(CommandContext context) {
  auto options = std::make_shared<TrainingCommandOptions>();
  CLI::App* command = add_command(
      context.root, context.common, "finetune",
      "Train a task (question answering, classification, answers to prompts) on labelled files",
      "  llmctl finetune -m runs/masked-lm -c configs/finetune/toy-qa.json\n"
      "  llmctl finetune -m bert-base-uncased -c configs/finetune/qa.json --set train.epochs=3");
  add_training_options(*command, *options);
  command
      ->add_option("--learning-curve", options->shares,
                   "Train on each of these shares of the labels, the same of each class, and "
                   "compare their scores (learning_curve.shares)")
      ->option_text("SHARE,SHARE,…")
      ->delimiter(',');
  command->callback([options, context] {
    context.action = [options, context] { return run_training_command(context.common, *options); };
  });
}

}  // namespace llmctl
