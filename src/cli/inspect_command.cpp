#include <unistd.h>
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "report/table.h"
#include "runs/model_directory.h"

namespace llmctl {

void add_inspect_command(CommandContext context) {
  struct Options {
    std::string path;
    bool all = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(context.root, context.common, "inspect",
                                  "Tell what is in a model, checkpoint, run or shard directory, a "
                                  "safetensors file or a tokenizer",
                                  "  llmctl inspect runs/causal\n"
                                  "  llmctl inspect runs/causal/best/model.safetensors --all");
  command->add_option("path", options->path, "Directory or file")->option_text("PATH")->required();
  command->add_flag("--all", options->all, "Every tensor, not one line per kind");
  command->callback([options, context] {
    context.action = [options, context] {
      const Inspection inspection = inspect_path(options->path, options->all);
      std::string text = render_facts(STDOUT_FILENO, inspection.title, inspection.facts);
      if (!inspection.parts.empty())
        text += "\n" + text_table(inspection.columns, inspection.parts);
      print_result(context.common, inspection.json, text);
      return 0;
    };
  });
}

}  // namespace llmctl
