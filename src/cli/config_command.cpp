#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/output.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "runs/config_catalog.h"
#include "runs/key_reference.h"
#include "runs/sections.h"
#include "runs/starters.h"

namespace llmctl {

namespace {

struct ConfigCommandOptions {
  ConfigOptions config;
  std::string command, output;
  std::string word;  ///< of `init` the kind, of `keys` a section or word
  bool overwrite = false;
};

/// Whether `text` has `word` in it, in whatever case (of ASCII letters).
bool has_word(const std::string& text, const std::string& word) {
  const auto same = [](char a, char b) {
    return equal_ignoring_case(std::string_view(&a, 1), std::string_view(&b, 1));
  };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

/// True when a key is in the section `word`, or its path or meaning has the word.
bool is_about(const ConfigKey& key, const std::string& word) {
  return has_word(key.path, word) || has_word(key.help, word);
}

/// Keys of one command, or under "COMMAND: KEY" those of all that are about the word.
std::vector<ConfigKey> keys_about(const std::string& command, const std::string& word) {
  std::vector<ConfigKey> found;
  for (const std::string& one : configured_commands()) {
    if (!command.empty() && one != command) continue;
    for (ConfigKey& key : config_keys(one)) {
      if (!is_about(key, word)) continue;
      if (command.empty()) key.path = concat(one, ": ", key.path);
      found.push_back(std::move(key));
    }
  }
  return found;
}

void add_command_argument(CLI::App& app, ConfigCommandOptions& options, bool required) {
  CLI::Option* argument =
      app.add_option("command", options.command,
                     "pretrain, finetune, generate, eval, prepare (data prepare), tokenizer "
                     "(tokenizer train) or vectors (data vectors)")
          ->option_text("COMMAND");
  if (required) argument->required();
}

}  // namespace

void add_config_command(CommandContext context) {
  CLI::App* config = add_command(
      context.root, context.common, "config", "Write, check and explain configurations",
      "  llmctl config init pretrain > pretrain.json\n"
      "  llmctl config validate -c pretrain.json\n"
      "  llmctl config show -c pretrain.json --set train.steps=100\n"
      "  llmctl config schema pretrain > schema.json\n"
      "\n"
      "Relative paths in configurations, --set and flags are relative to the working\n"
      "directory (those of \"extends\" to the file); ~ is the home directory. run.json keeps\n"
      "absolute ones.");
  config->require_subcommand(1);

  auto init = std::make_shared<ConfigCommandOptions>();
  CLI::App* init_command =
      add_command(*config, context.common, "init", "Print a commented configuration to start from",
                  "  llmctl config init pretrain bert\n"
                  "  llmctl config init finetune sequence_classification");
  add_command_argument(*init_command, *init, true);
  init_command
      ->add_option("kind", init->word,
                   concat("Of pretrain a model type or task: ", join(starter_kinds("pretrain")),
                          "; of finetune and eval a task: ", join(starter_kinds("eval"))))
      ->option_text("KIND");
  init_command->add_option("-o,--output", init->output, "Write it to a file instead")
      ->option_text("FILE");
  init_command->add_flag("--overwrite", init->overwrite, "Replace a file that is there");
  init_command->callback([init, context] {
    context.action = [init] {
      const std::string text = starter_config(init->command, init->word);
      const std::string file = init->output.empty() ? "-" : init->output;
      check_output_file(file, init->overwrite);
      write_output(file, text);
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
      const JsonDocument document = load_document(show->config, show->command);
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
      const JsonDocument document = load_document(validate->config, validate->command);
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
                  "Print every key with its type, default and meaning (Markdown)",
                  "  llmctl config keys pretrain optim\n  llmctl config keys tokenizer\n  llmctl "
                  "config keys temperature");
  add_command_argument(*keys_command, *keys, false);
  auto everything = std::make_shared<bool>(false);
  keys_command->add_flag("--all", *everything, "The keys of all commands, as configs/README.md");
  keys_command->add_option("word", keys->word, "Only keys of this section, or about this word")
      ->option_text("SECTION|WORD");
  keys_command->callback([keys, everything, context] {
    context.action = [keys, everything, context] {
      if (*everything) {
        write_stdout(key_reference());
        return 0;
      }
      require(!keys->command.empty(), ErrorCode::kUsage, "whose keys? Name one of ",
              join(configured_commands()), ", a section or a word, or --all");
      // Without a command, of all of them.
      const std::vector<std::string>& commands = configured_commands();
      std::string command = keys->command, word = keys->word;
      if (word.empty() && std::find(commands.begin(), commands.end(), command) == commands.end())
        std::swap(command, word);
      if (!command.empty()) command = config_command(command, JsonDocument{});
      const std::vector<ConfigKey> all = keys_about(command, word);
      require(!all.empty(), ErrorCode::kUsage,
              command.empty() ? "no command has a key about '" : command + " has no key about '",
              word, "'", did_you_mean(word, commands));
      Json json = Json::array();
      const bool changes = std::any_of(all.begin(), all.end(),
                                       [](const ConfigKey& key) { return !key.change.empty(); });
      std::string text =
          concat("| key | type | default | ", changes ? "on resume | " : "", "meaning |\n",
                 "| --- | --- | --- | ", changes ? "--- | " : "", "--- |\n");
      for (const ConfigKey& key : all) {
        json.push_back({{"key", key.path},
                        {"type", key.type},
                        {"default", key.default_value},
                        {"help", key.help}});
        if (changes) json.back()["on_resume"] = key.change;
        text += "| `" + key.path + "` | " + key.type + " | " +
                (key.default_value.empty() ? "" : "`" + key.default_value + "`") + " | " +
                (changes ? key.change + " | " : "") + key.help + " |\n";
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
