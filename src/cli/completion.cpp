// Completion scripts and the man page, from the same description of the commands as help.
#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command_tree.h"
#include "config/fields.h"

namespace llmctl {
namespace {

void for_each_command(const CommandHelp& command,
                      const std::function<void(const CommandHelp&)>& use) {
  use(command);
  for (const CommandHelp& one : command.commands) for_each_command(one, use);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// What stands for a command in the scripts: "tokenizer train", of the program itself nothing.
std::string key_of(const CommandHelp& command) {
  return join(std::vector(command.path.begin() + 1, command.path.end()), " ");
}

enum class Values { kNone, kFiles, kDirectories, kChoices };

Values values_of(const OptionHelp& option) {
  if (!option.choices.empty()) return Values::kChoices;
  const std::string value = option.value + (option.argument ? option.names[0] : "");
  if (value.find("FILE") != value.npos || value.find("PATH") == 0) return Values::kFiles;
  return value.find("DIR") != value.npos ? Values::kDirectories : Values::kNone;
}

/// bash and zsh share the tables: words of a command, and what follows an option.
std::string tables(const CommandHelp& root, bool described) {
  std::string words, values, arguments;
  for_each_command(root, [&](const CommandHelp& command) {
    const std::string key = key_of(command);
    std::vector<std::string> list;
    const auto add = [&](const std::string& name, const std::string& text) {
      if (!described) return list.push_back(name);
      list.push_back("'" + name + ":" + replaced(replaced(text, "'", "'\\''"), ":", "\\:") + "'");
    };
    for (const CommandHelp& one : command.commands) add(one.name(), one.purpose);
    std::string case_of;
    for (const OptionHelp& option : command.options) {
      const Values kind = values_of(option);
      const std::string reply = kind == Values::kFiles         ? "files"
                                : kind == Values::kDirectories ? "directories"
                                : kind == Values::kChoices     ? join(option.choices, " ")
                                                               : "";
      if (option.argument) {
        if (!reply.empty()) arguments += "    '" + key + "') reply='" + reply + "' ;;\n";
        continue;
      }
      for (const auto& name : option.names) add(name, option.text);
      if (option.value.empty()) continue;
      for (const auto& name : option.names) {
        values += "    '" + key + ":" + name + "') reply='" + (reply.empty() ? "nothing" : reply) +
                  "' ;;\n";
      }
    }
    words += "    '" + key + "') words_here=(" + join(list, " ") + ") ;;\n";
  });
  return "  case \"$command\" in\n" + words + "  esac\n" + "  case \"$command:$previous\" in\n" +
         values + "  esac\n" + "  if [[ -z \"$reply\" && \"$current\" != -* ]]; then\n" +
         "    case \"$command\" in\n" + arguments + "    esac\n  fi\n";
}

/// Finds the command among the words typed so far.
std::string walk(const CommandHelp& root, const std::string& loop) {
  std::vector<std::string> known;
  for_each_command(root, [&](const CommandHelp& command) {
    if (const std::string key = key_of(command); !key.empty()) known.push_back("'" + key + "'");
  });
  return loop + "    case \"${command:+$command }$word\" in\n      " + join(known, "|") +
         ") command=\"${command:+$command }$word\" ;;\n    esac\n  done\n";
}

std::string bash_script(const CommandHelp& root) {
  return "# bash completion for llmctl: source it, or put it into "
         "~/.local/share/bash-completion/completions/llmctl\n"
         "_llmctl() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local command='' reply='' word\n"
         "  local -a words_here=()\n" +
         walk(root, "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n") +
         tables(root, false) +
         "  COMPREPLY=()\n"
         "  case \"$reply\" in\n"
         "    nothing) ;;\n"
         "    files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") "
         ";;\n"
         "    directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "
         "\"$current\") ;;\n"
         "    '') mapfile -t COMPREPLY < <(compgen -W \"${words_here[*]}\" -- \"$current\") ;;\n"
         "    *) mapfile -t COMPREPLY < <(compgen -W \"$reply\" -- \"$current\") ;;\n"
         "  esac\n"
         "}\n"
         "complete -F _llmctl llmctl\n";
}

std::string zsh_script(const CommandHelp& root) {
  return "#compdef llmctl\n"
         "# zsh completion for llmctl: put it as _llmctl into a folder of $fpath\n"
         "_llmctl() {\n"
         "  local current=${words[CURRENT]} previous=${words[CURRENT-1]} command='' reply='' word\n"
         "  local -a words_here\n" +
         walk(root, "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n") + tables(root, true) +
         "  case \"$reply\" in\n"
         "    nothing) _message value ;;\n"
         "    files) _files ;;\n"
         "    directories) _files -/ ;;\n"
         "    '') _describe 'command or option' words_here ;;\n"
         "    *) compadd -- ${=reply} ;;\n"
         "  esac\n"
         "}\n"
         "if [[ \"$funcstack[1]\" = _llmctl ]]; then _llmctl \"$@\"; else compdef _llmctl llmctl; "
         "fi\n";
}

std::string fish_script(const CommandHelp& root) {
  std::vector<std::string> known;
  for_each_command(root, [&](const CommandHelp& command) {
    if (const std::string key = key_of(command); !key.empty()) known.push_back("'" + key + "'");
  });
  std::string out =
      "# fish completion for llmctl: put it into ~/.config/fish/completions/llmctl.fish\n"
      "function __llmctl_at\n"
      "  set -l command ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    set -l next (string trim -- \"$command $word\")\n"
      "    contains -- \"$next\" " +
      join(known, " ") +
      "; and set command \"$next\"\n"
      "  end\n"
      "  test \"$command\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c llmctl -f\n";
  const auto quoted = [](const std::string& text) {
    return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
  };
  for_each_command(root, [&](const CommandHelp& command) {
    const std::string at =
        "complete -c llmctl -n " + quoted("__llmctl_at '" + key_of(command) + "'");
    for (const CommandHelp& one : command.commands) {
      out += at + " -a " + one.name() + " -d " + quoted(one.purpose) + "\n";
    }
    for (const OptionHelp& option : command.options) {
      const Values kind = values_of(option);
      if (option.argument) {
        if (kind == Values::kFiles) out += at + " -F\n";
        if (kind == Values::kDirectories) out += at + " -a '(__fish_complete_directories)'\n";
        if (kind == Values::kChoices) out += at + " -a " + quoted(join(option.choices, " ")) + "\n";
        continue;
      }
      out += at;
      for (const auto& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (kind == Values::kFiles) out += " -r -F";
      if (kind == Values::kDirectories) out += " -x -a '(__fish_complete_directories)'";
      if (kind == Values::kChoices) out += " -x -a " + quoted(join(option.choices, " "));
      if (kind == Values::kNone && !option.value.empty()) out += " -x";
      out += " -d " + quoted(option.text) + "\n";
    }
  });
  return out;
}

/// Text in roff: no line begins with a control character, hyphens and backslashes are themselves.
std::string roff(const std::string& text) {
  std::string out = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  if (out.starts_with(".") || out.starts_with("'")) out.insert(0, "\\&");
  return replaced(replaced(out, "\n.", "\n\\&."), "\n'", "\n\\&'");
}

void describe_in_roff(const CommandHelp& command, std::string& out) {
  for (const bool argument : {true, false}) {
    for (const OptionHelp& option : command.options) {
      // Common options have a section of their own.
      if (option.argument != argument || option.group == "Common options") continue;
      std::string names = join(option.names, ", ");
      out += ".TP\n\\fB" + roff(names) + "\\fR";
      if (!option.argument && !option.value.empty()) out += " \\fI" + roff(option.value) + "\\fR";
      out += "\n" + roff(option.text) + (option.required && !argument ? " (required)" : "") + "\n";
    }
  }
}

}  // namespace

std::string completion_script(const CommandHelp& root, const std::string& shell) {
  if (shell == "bash") return bash_script(root);
  if (shell == "zsh") return zsh_script(root);
  if (shell == "fish") return fish_script(root);
  fail(ErrorCode::kUsage, "no completion for ", shell, did_you_mean(shell, {"bash", "zsh", "fish"}),
       "; there is one for bash, zsh and fish");
}

std::string manual_page(const CommandHelp& root) {
  std::string out =
      ".TH LLMCTL 1\n.SH NAME\nllmctl \\- from raw text to an evaluated language model\n"
      ".SH SYNOPSIS\n.B llmctl\n.I COMMAND\n[OPTIONS]\n.SH DESCRIPTION\n" +
      roff(root.purpose) +
      ".\nResults go to standard output, logs and progress to standard error.\n";
  out += ".SH COMMON OPTIONS\nBefore or behind the command.\n";
  for (const OptionHelp& option : root.options) {
    out += ".TP\n\\fB" + roff(join(option.names, ", ")) + "\\fR";
    if (!option.value.empty()) out += " \\fI" + roff(option.value) + "\\fR";
    out += "\n" + roff(option.text) + "\n";
  }
  out += ".SH COMMANDS\n";
  for_each_command(root, [&](const CommandHelp& command) {
    if (command.path.size() < 2) return;
    out += ".SS " + roff(command.full_name()) + "\n" + roff(command.purpose) + ".\n.PP\n" +
           roff(usage_line(command)) + "\n";
    describe_in_roff(command, out);
    if (!command.footer.empty()) out += ".PP\n.nf\n" + roff(command.footer) + "\n.fi\n";
  });
  out += ".SH EXIT STATUS\n" + roff(root.footer) + "\n";
  return out;
}

}  // namespace llmctl
