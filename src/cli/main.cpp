#include "cli/main.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <new>

#include "base/log.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "cli/command_tree.h"
#include "cli/commands.h"
#include "config/fields.h"
#include "ops/backend.h"
#include "runs/build_facts.h"

namespace llmctl {

namespace {

/// The deepest subcommand that was named, for messages about what follows it.
const CLI::App* deepest(const CLI::App* app) {
  const auto chosen = app->get_subcommands();
  return chosen.empty() ? app : deepest(chosen.back());
}

std::vector<std::string> option_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

/// What CLI11 says about an option's value.
std::string in_our_words(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = text.substr(0, text.find(": "));
    for (const CLI::App* a = &app; a != nullptr; a = a->get_parent()) {
      for (const CLI::Option* option : a->get_options()) {
        if (option->get_name() != name) continue;
        if (option->count() > 1)
          return concat(name, " is given ", option->count(), " times, expected once");
        return concat(name, ": a value is missing", option->get_option_text().empty() ? "" : ": ",
                      option->get_option_text());
      }
    }
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    constexpr std::string_view kBegin = "Could not convert: ";
    const std::size_t equals = text.find(" = ");
    if (text.starts_with(kBegin) && equals != text.npos) {
      return concat(text.substr(kBegin.size(), equals - kBegin.size()), ": expected a number, got ",
                    text.substr(equals + 3));
    }
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_name() + " is required" == text && option->get_positional())
        return concat(text, ": ", option->get_description());
    }
  }
  return text;
}

/// One line for what CLI11 could not parse, with a did-you-mean where a name is close.
std::string usage_message(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App* app = deepest(&root);
  const auto rest = root.remaining(true);
  const std::string path = describe_command(*app).full_name();
  if (!rest.empty()) {
    std::string name = rest.front();
    if (name.starts_with("-")) {
      name = name.substr(0, name.find('='));
      return concat(path, ": unknown option ", name, did_you_mean(name, option_names(app)));
    }
    if (!command_names(app).empty()) {
      return concat(path, ": unknown command ", name, did_you_mean(name, command_names(app)));
    }
    return concat(path, ": unexpected argument ", name);
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !command_names(app).empty()) {
    return concat(path, ": a command is missing: ", join(command_names(app)));
  }
  return concat(path, ": ", in_our_words(*app, error));
}

int report(const std::string& message, int status) {
  // Through the log, so that a run's log.txt tells why it ended.
  log_error(escape_control(message));
  return status;
}

void apply(const CommonOptions& common) {
  set_color_mode(common.color == "always"  ? ColorMode::kAlways
                 : common.color == "never" ? ColorMode::kNever
                                           : ColorMode::kAuto);
  set_log_level(common.verbose ? LogLevel::kDebug
                : common.quiet ? LogLevel::kWarning
                               : LogLevel::kInfo);
  set_quiet(common.quiet);
  if (common.threads < 0 || common.threads > 1024) {
    fail(ErrorCode::kUsage, "--threads: expected 0 to 1024, got ", common.threads);
  }
  set_thread_count(static_cast<int>(common.threads));
}

}  // namespace

int run_command_line(int argc, char** argv) {
  install_signal_handlers();
  CLI::App root("llmctl: from raw text to an evaluated language model");
  root.name("llmctl");
  root.set_help_flag("-h,--help", "Print this help and exit");
  root.set_version_flag("--version", version_text);
  root.require_subcommand(1);
  CommonOptions common;
  add_common_options(root, common);
  root.footer(
      "Start with ./apps/quickstart, or: llmctl COMMAND --help\n"
      "Exit codes: 0 ok, 1 a --fail-under bound not met, 64 usage, 65 bad data or model file, 66 "
      "missing input, 70 internal or numeric failure, 73 cannot create output, 74 I/O, 75 try "
      "again, 78 configuration, 130/143 signals");
  common.command_line.assign(argv, argv + argc);
  CommandAction action;
  add_commands({root, common, action});
  if (argc <= 1) {
    std::cerr << help_text(describe_command(root), help_width());
    return static_cast<int>(ErrorCode::kUsage);
  }
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    action = [app = deepest(&root)] {
      write_stdout(help_text(describe_command(*app), help_width()));
      return 0;
    };
  } catch (const CLI::CallForVersion&) {
    action = [] {
      write_stdout(version_text() + "\n");
      return 0;
    };
  } catch (const CLI::ParseError& error) {
    return report(usage_message(root, error), static_cast<int>(ErrorCode::kUsage));
  }
  try {
    apply(common);
    int status = 0;
    translate_torch_errors([&] { status = action(); });
    // A signal that came when there was nothing left to stop ends a script's loop all the same.
    return status == 0 && stop_requested() != 0 ? 128 + stop_requested() : status;
  } catch (const Interrupted& interrupted) {
    return report(interrupted.what(), 128 + interrupted.signal());
  } catch (const Error& error) {
    return report(error.what(), error.exit_status());
  } catch (const std::bad_alloc&) {
    return report("out of memory; lower the batch size, the sequence length or the model's size",
                  static_cast<int>(ErrorCode::kInternal));
  } catch (const std::exception& error) {
    return report(concat("internal error: ", error.what()), static_cast<int>(ErrorCode::kInternal));
  }
}

}  // namespace llmctl
