#include "cli/command_tree.h"

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

/// "{auto,always,never}" of an option's checks.
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == type.npos || end == type.npos || end < begin) return choices;
  std::string rest = type.substr(begin + 1, end - begin - 1);
  for (std::size_t at = 0; at <= rest.size();) {
    const std::size_t comma = std::min(rest.find(',', at), rest.size());
    choices.push_back(rest.substr(at, comma - at));
    at = comma + 1;
  }
  return choices;
}

OptionHelp describe_option(const CLI::Option& option) {
  OptionHelp help;
  help.argument = option.get_positional();
  help.value = option.get_option_text();
  if (help.argument) {
    help.names = {help.value.empty() ? option.get_name(true, false) : help.value};
  } else {
    for (const auto& name : option.get_snames()) help.names.push_back("-" + name);
    for (const auto& name : option.get_lnames()) help.names.push_back("--" + name);
    if (help.value.empty() && option.get_expected_max() != 0) help.value = "VALUE";
  }
  help.choices = choices_of(option.get_type_name());
  help.text = option.get_description();
  help.group = option.get_group();
  help.required = option.get_required();
  return help;
}

/// The words of a text in lines of `width` columns, all but the first one behind `indent`; `used`
/// columns of the first line are taken.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent,
                    std::size_t used) {
  std::string out;
  std::size_t column = used, begin = 0;
  bool fresh = true;  // nothing stands on this line yet
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty()) continue;
    const std::size_t size = display_width(word);
    if (!fresh && column + 1 + size > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      fresh = true;
    }
    if (!fresh) {
      out += ' ';
      ++column;
    }
    out += word;
    column += size;
    fresh = false;
  }
  return out + "\n";
}

/// A command line as it is typed; a long one goes on behind a backslash.
std::string wrapped_example(const std::string& line, std::size_t width) {
  if (display_width(line) <= width) return line + "\n";
  std::string out;
  std::size_t begin = line.find_first_not_of(' ');
  std::string current = line.substr(0, begin);
  bool fresh = true;
  char quote = '\0';
  while (begin < line.size()) {
    // A word ends at a space outside quotes.
    std::size_t end = begin;
    for (; end < line.size() && (quote != '\0' || line[end] != ' '); ++end) {
      if (quote == line[end]) {
        quote = '\0';
      } else if (quote == '\0' && (line[end] == '"' || line[end] == '\'')) {
        quote = line[end];
      }
    }
    const std::string word = line.substr(begin, end - begin);
    begin = end + 1;
    if (!fresh && display_width(current) + 1 + display_width(word) + 2 > width) {
      out += current + " \\\n";
      current = "      " + word;
    } else {
      current += (fresh ? "" : " ") + word;
    }
    fresh = false;
  }
  return out + current + "\n";
}

/// Two columns: names, and what they mean; beneath them where the names are long or the terminal
/// narrow.
std::string entries(const std::vector<std::pair<std::string, std::string>>& rows,
                    std::size_t width) {
  std::size_t widest = 0;
  const std::size_t most = width >= 70 ? 32 : 0;
  for (const auto& [names, text] : rows) {
    if (display_width(names) <= most) widest = std::max(widest, display_width(names));
  }
  const std::size_t indent = widest == 0 ? 6 : widest + 4;
  std::string out;
  for (const auto& [names, text] : rows) {
    const std::size_t size = display_width(names);
    out += "  " + names;
    if (size + 4 <= indent && !text.empty()) {
      out += std::string(indent - size - 2, ' ') + wrapped(text, width, indent, indent);
    } else {
      out += "\n";
      if (!text.empty()) out += std::string(indent, ' ') + wrapped(text, width, indent, indent);
    }
  }
  return out;
}

std::string names_of(const OptionHelp& option) {
  std::string names = join(option.names);
  if (!option.argument && !option.value.empty()) names += " " + option.value;
  return names;
}

}  // namespace

std::string CommandHelp::full_name() const {
  std::string name;
  for (const auto& part : path) name += (name.empty() ? "" : " ") + part;
  return name;
}

std::string usage_line(const CommandHelp& command) {
  std::string text = "Usage: " + command.full_name();
  if (std::any_of(command.options.begin(), command.options.end(),
                  [](const OptionHelp& option) { return !option.argument; })) {
    text += " [OPTIONS]";
  }
  for (const OptionHelp& option : command.options) {
    if (!option.argument) continue;
    text += option.required ? " " + option.names[0] : " [" + option.names[0] + "]";
  }
  if (!command.commands.empty()) text += command.command_required ? " COMMAND" : " [COMMAND]";
  return text;
}

CommandHelp describe_command(const CLI::App& app) {
  CommandHelp help;
  for (const CLI::App* a = &app; a != nullptr; a = a->get_parent()) {
    help.path.insert(help.path.begin(), a->get_name());
  }
  help.purpose = app.get_description();
  help.footer = app.get_footer();
  help.command_required = app.get_require_subcommand_min() > 0;
  for (const bool argument : {true, false}) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group().empty() || option->get_positional() != argument) continue;
      help.options.push_back(describe_option(*option));
    }
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) help.commands.push_back(describe_command(*command));
  }
  return help;
}

std::string help_text(const CommandHelp& command, std::size_t width) {
  std::string out =
      wrapped(command.purpose, width, 0, 0) + "\n" + wrapped(usage_line(command), width, 7, 0);
  std::vector<std::string> groups;
  for (const OptionHelp& option : command.options) {
    const std::string group = option.argument ? "Arguments" : option.group;
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  // The command's own options come before those that all commands have.
  std::stable_partition(groups.begin(), groups.end(),
                        [](const std::string& group) { return group != "Common options"; });
  const auto section = [&](const std::string& group) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const OptionHelp& option : command.options) {
      if ((option.argument ? "Arguments" : option.group) != group) continue;
      const bool tell = option.required && !option.argument;
      rows.emplace_back(names_of(option), option.text + (tell ? " (required)" : ""));
    }
    out += "\n" + group + ":\n" + entries(rows, width);
  };
  for (const auto& group : groups) {
    if (group != "Common options") section(group);
  }
  if (!command.commands.empty()) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const CommandHelp& one : command.commands) rows.emplace_back(one.name(), one.purpose);
    out += "\nCommands:\n" + entries(rows, width);
  }
  if (!groups.empty() && groups.back() == "Common options") section("Common options");
  if (command.footer.empty()) return out;
  out += "\n";
  for (std::size_t begin = 0; begin <= command.footer.size();) {
    const std::size_t end = std::min(command.footer.find('\n', begin), command.footer.size());
    const std::string line = command.footer.substr(begin, end - begin);
    out += line.starts_with("  ") ? wrapped_example(line, width) : wrapped(line, width, 0, 0);
    begin = end + 1;
  }
  return out;
}

std::size_t help_width() {
  int columns = terminal_width(STDOUT_FILENO);
  if (const char* set = std::getenv("COLUMNS"); set != nullptr && std::atoi(set) > 0) {
    columns = std::atoi(set);
  }
  return static_cast<std::size_t>(std::clamp(columns, 40, 200));
}

}  // namespace llmctl
