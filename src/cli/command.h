// What a subcommand is to the command line: a function that adds its options and says what to run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/json.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace llmctl {

/// Set by the subcommand that was chosen; returns the exit status.
using CommandAction = std::function<int()>;

/// Options of every command.
struct CommonOptions {
  bool verbose = false;
  bool quiet = false;
  bool json = false;
  std::string color = "auto";
  std::int64_t threads = 0;
  std::vector<std::string> command_line;
};

/// Options of the commands that a configuration drives.
struct ConfigOptions {
  std::vector<std::string> files, sets, unsets;
  bool dry_run = false;
};

struct CommandContext {
  CLI::App& root;
  CommonOptions& common;
  CommandAction& action;
};

/// -v, -q, --json, --color and --threads: before the command and behind it.
void add_common_options(CLI::App& app, CommonOptions& common);

/// A subcommand with the common options, its examples at the end of its help.
CLI::App* add_command(CLI::App& parent, CommonOptions& common, const std::string& name,
                      const std::string& purpose, const std::string& examples);

/// For CLI::Option::check(): the value is one of the words, whose error has a guess at the one that
/// was meant.
CLI::Validator one_of(std::vector<std::string> words);
/// The value is a number from `low` to `high`.
CLI::Validator between(double low, double high);

/// -c, --set and --unset, and --dry-run of commands that write.
void add_config_options(CLI::App& command, ConfigOptions& options, bool writes = true);

/// The configuration that -c, --set and --unset give. kConfig for an --unset of what is no key of
/// `command` (as `llmctl config keys` takes it; empty: whose the
/// sections are) and not in the configuration either.
JsonDocument load_document(const ConfigOptions& options, const std::string& command);

/// Prints a result: the JSON with --json, else the text.
void print_result(const CommonOptions& common, const Json& json, const std::string& text);

/// A table of text columns for stdout.
std::string text_table(const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& rows);

/// Adds "key.path=value" for a flag that abbreviates a key; the value is quoted as a JSON string.
void set_string(ConfigOptions& options, const std::string& key, const std::string& value);

}  // namespace llmctl
