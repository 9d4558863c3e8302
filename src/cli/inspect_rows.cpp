#include "cli/inspect_rows.h"

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "base/terminal.h"
#include "runs/labelled_rows.h"

namespace llmctl {

void add_rows_command(CLI::App& inspect, const CommandContext& context) {
  struct Options {
    ConfigOptions config;
    std::string model;
    std::size_t skip = 0, count = 3;
    bool tokens = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      add_command(inspect, context.common, "rows",
                  "Show what a finetune run learns of its records, token by token",
                  "  llmctl inspect rows -c configs/finetune/toy-answers.json\n"
                  "  llmctl inspect rows -c configs/finetune/toy-qa.json -n 1 --tokens\n"
                  "  llmctl --json inspect rows -c runs/answers/run.json -n 100");
  add_config_options(*command, options->config, false);
  command
      ->add_option("-m,--model", options->model,
                   "Model, checkpoint or run directory to start from (model.init_from)")
      ->option_text("DIR");
  command->add_option("-n,--rows", options->count, "Rows that are shown")->option_text("N");
  command->add_option("--skip", options->skip, "Rows before them that are not")->option_text("N");
  command->add_flag("--tokens", options->tokens, "A line for each token: its id, piece and label");
  command->callback([options, context] {
    context.action = [options, context] {
      ConfigOptions config = options->config;
      if (!options->model.empty()) set_string(config, "model.init_from", options->model);
      require(!config.files.empty() || !config.sets.empty(), ErrorCode::kUsage,
              "no configuration given: use -c FILE");
      const auto rows =
          labelled_rows_of(load_document(config, "finetune"), options->skip, options->count);
      Json json = Json::array();
      std::string text;
      for (const LabelledRow& row : rows) {
        if (context.common.json) {
          json.push_back(to_json(row));
          continue;
        }
        if (!text.empty()) text += "\n";
        text +=
            options->tokens ? render_tokens(STDOUT_FILENO, row) : render_row(STDOUT_FILENO, row);
      }
      print_result(context.common, json, text);
      return 0;
    };
  });
}

}  // namespace llmctl
