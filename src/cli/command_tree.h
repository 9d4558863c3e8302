// The command line as data, read from CLI11's objects: what help, completion and the man page are
// made from.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace llmctl {

struct OptionHelp {
  std::vector<std::string> names;  ///< "-o", "--output"; of an argument its name alone
  std::string value;               ///< "FILE"; empty for a flag
  std::vector<std::string> choices;
  std::string text, group;
  bool required = false, argument = false;
};

struct CommandHelp {
  std::vector<std::string> path;  ///< "llmctl", "tokenizer", "train"
  std::string purpose, footer;
  std::vector<OptionHelp> options;  ///< arguments first
  std::vector<CommandHelp> commands;
  bool command_required = false;

  std::string name() const { return path.back(); }
  std::string full_name() const;  ///< "llmctl tokenizer train"
};

CommandHelp describe_command(const CLI::App& app);

/// Help in `width` columns: purpose, usage, arguments, options by group, commands, examples.
std::string help_text(const CommandHelp& command, std::size_t width);

/// "Usage: llmctl tokenizer train [OPTIONS] FILE..."
std::string usage_line(const CommandHelp& command);

/// Columns for help: COLUMNS, else those of the terminal at stdout, from 40 to 200.
std::size_t help_width();

/// Completion for "bash", "zsh" or "fish": commands, options, their choices, files.
std::string completion_script(const CommandHelp& root, const std::string& shell);

/// The man page llmctl(1), in roff.
std::string manual_page(const CommandHelp& root);

}  // namespace llmctl
