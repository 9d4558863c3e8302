#include <CLI/CLI.hpp>
#include <memory>

#include "base/files.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "runs/config_catalog.h"
#include "runs/sections.h"

namespace llmctl {

namespace {

struct ConfigCommandOptions {
  ConfigOptions config;
  std::string command, output;
};

void add_command_argument(CLI::App& app, ConfigCommandOptions& options, bool required) {
  CLI::Option* argument =
      app.add_option("command", options.command, "pretrain, finetune, generate, eval or prepare");
  if (required) argument->required();
}

}  // namespace

void add_config_command(CommandContext context) {
  CLI::App* config =
      add_command(context.root, context.common, "config", "Write, check and explain configurations",
                  "  llmctl config init pretrain > pretrain.json\n"
                  "  llmctl config validate -c pretrain.json\n"
                  "  llmctl config show -c pretrain.json --set train.steps=100\n"
                  "  llmctl config schema pretrain > schema.json");
  config->require_subcommand(1);

  auto init = std::make_shared<ConfigCommandOptions>();
  CLI::App* init_command = add_command(*config, context.common, "init",
                                       "Print a commented configuration to start from", "");
  add_command_argument(*init_command, *init, true);
  init_command->add_option("-o,--output", init->output, "Write it to a new file instead")
      ->option_text("FILE");
  init_command->callback([init, context] {
    context.action = [init] {
      const std::string text = starter_config(init->command);
      if (init->output.empty()) {
        write_stdout(text);
        return 0;
      }
      require(!std::filesystem::exists(init->output), ErrorCode::kCannotCreate, init->output,
              ": exists; choose another name");
      write_file(init->output, text);
      return 0;
    };
  });

  auto show = std::make_shared<ConfigCommandOptions>();
  CLI::App* show_command = add_command(*config, context.common, "show",
                                       "Print the resolved configuration, defaults included", "");
  add_command_argument(*show_command, *show, false);
  add_config_options(*show_command, show->config);
  show_command->callback([show, context] {
    context.action = [show] {
      const JsonDocument document =
          load_run_document(show->config.files, show->config.sets, show->config.unsets);
      write_stdout(dump_json(resolved_config(show->command, document), 2) + "\n");
      return 0;
    };
  });

  auto validate = std::make_shared<ConfigCommandOptions>();
  CLI::App* validate_command = add_command(*config, context.common, "validate",
                                           "Check a configuration; exit 78 when it is wrong", "");
  add_command_argument(*validate_command, *validate, false);
  add_config_options(*validate_command, validate->config);
  validate_command->callback([validate, context] {
    context.action = [validate, context] {
      require(!validate->config.files.empty() || !validate->config.sets.empty(), ErrorCode::kUsage,
              "no configuration given: use -c FILE");
      const JsonDocument document =
          load_run_document(validate->config.files, validate->config.sets, validate->config.unsets);
      const std::string command = config_command(validate->command, document);
      resolved_config(command, document);
      print_result(context.common, Json{{"valid", true}, {"command", command}},
                   "valid configuration of llmctl " + command + "\n");
      return 0;
    };
  });

  auto keys = std::make_shared<ConfigCommandOptions>();
  CLI::App* keys_command =
      add_command(*config, context.common, "keys",
                  "Print every key with its type, default and meaning (Markdown)", "");
  add_command_argument(*keys_command, *keys, true);
  keys_command->callback([keys, context] {
    context.action = [keys, context] {
      Json json = Json::array();
      std::string text = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
      for (const ConfigKey& key : config_keys(keys->command)) {
        json.push_back({{"key", key.path},
                        {"type", key.type},
                        {"default", key.default_value},
                        {"help", key.help}});
        text += "| `" + key.path + "` | " + key.type + " | " +
                (key.default_value.empty() ? "" : "`" + key.default_value + "`") + " | " +
                key.help + " |\n";
      }
      print_result(context.common, json, text);
      return 0;
    };
  });

  auto schema = std::make_shared<ConfigCommandOptions>();
  CLI::App* schema_command = add_command(*config, context.common, "schema",
                                         "Print the JSON Schema (draft-07), for editors", "");
  add_command_argument(*schema_command, *schema, true);
  schema_command->callback([schema, context] {
    context.action = [schema] {
      write_stdout(dump_json(config_schema_of(schema->command), 2) + "\n");
      return 0;
    };
  });
}

}  // namespace llmctl
