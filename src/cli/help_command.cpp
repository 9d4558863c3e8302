// help, version and completion: the command line about itself.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/terminal.h"
#include "cli/command_tree.h"
#include "cli/commands.h"
#include "config/fields.h"
#include "runs/build_facts.h"

namespace llmctl {
namespace {

/// The command that the words name.
const CommandHelp& find_command(const CommandHelp& root, const std::vector<std::string>& words) {
  const CommandHelp* at = &root;
  for (const auto& word : words) {
    std::vector<std::string> names;
    const CommandHelp* next = nullptr;
    for (const CommandHelp& one : at->commands) {
      names.push_back(one.name());
      if (one.name() == word) next = &one;
    }
    require(next != nullptr, ErrorCode::kUsage, at->full_name(), ": unknown command ", word,
            did_you_mean(word, names));
    at = next;
  }
  return *at;
}

}  // namespace

void add_help_command(CommandContext context) {
  struct Options {
    std::vector<std::string> words;
    bool manual = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* help = add_command(context.root, context.common, "help",
                               "Print the help of a command, as its --help does",
                               "  llmctl help tokenizer train\n  llmctl help --man | man -l -");
  help->add_option("command", options->words, "Words of the command; none: the list of all")
      ->option_text("COMMAND...");
  help->add_flag("--man", options->manual, "The man page of all commands, in roff");
  CLI::App* const root = &context.root;
  help->callback([options, context, root] {
    context.action = [options, root] {
      const CommandHelp tree = describe_command(*root);
      write_stdout(options->manual ? manual_page(tree)
                                   : help_text(find_command(tree, options->words), help_width()));
      return 0;
    };
  });
}

void add_version_command(CommandContext context) {
  CLI::App* version =
      add_command(context.root, context.common, "version",
                  "Print the version, LibTorch's and the processor's kind", "  llmctl version");
  version->callback([context] {
    context.action = [context] {
      print_result(context.common, {{"version", version_text()}}, version_text() + "\n");
      return 0;
    };
  });
}

void add_completion_command(CommandContext context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      add_command(context.root, context.common, "completion", "Print a shell's completion script",
                  "  source <(llmctl completion bash)\n"
                  "  llmctl completion zsh > \"${fpath[1]}/_llmctl\"\n"
                  "  llmctl completion fish > ~/.config/fish/completions/llmctl.fish");
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->option_text("SHELL")
      ->check(one_of({"bash", "zsh", "fish"}))
      ->required();
  CLI::App* const root = &context.root;
  completion->callback([shell, context, root] {
    context.action = [shell, root] {
      write_stdout(completion_script(describe_command(*root), *shell));
      return 0;
    };
  });
}

}  // namespace llmctl
