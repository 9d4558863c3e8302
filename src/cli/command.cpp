#include "cli/command.h"

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "base/terminal.h"
#include "config/fields.h"
#include "report/table.h"
#include "runs/build_facts.h"
#include "runs/config_catalog.h"
#include "runs/sections.h"

namespace llmctl {

namespace {

/// 10000000 rather than 1e+07.
std::string number_text(double value) {
  return value == std::floor(value) ? concat(static_cast<std::int64_t>(value)) : concat(value);
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string described = "{" + join(words, ",") + "}";  // completion reads it
  return CLI::Validator(
      [words = std::move(words)](const std::string& value) -> std::string {
        if (std::find(words.begin(), words.end(), value) != words.end()) return "";
        return concat("expected one of ", join(words), ", got '", value, "'",
                      did_you_mean(value, words));
      },
      described);
}

CLI::Validator between(double low, double high) {
  return CLI::Validator(
      [low, high](const std::string& value) -> std::string {
        double number = 0;
        if (CLI::detail::lexical_cast(value, number) && number >= low && number <= high) return "";
        return concat("expected ", number_text(low), " to ", number_text(high), ", got ", value);
      },
      "NUMBER");
}

void add_common_options(CLI::App& app, CommonOptions& common) {
  const std::string group = "Common options";
  app.add_flag("-v,--verbose", common.verbose, "Tell more on stderr")->group(group);
  app.add_flag("-q,--quiet", common.quiet, "Only warnings and errors on stderr, no progress")
      ->group(group);
  app.add_flag(
         "--json", common.json,
         "Print the result as JSON; that of generate and eval repeats warnings about settings "
         "once, as the list notes")
      ->group(group);
  app.add_option("--color", common.color, "Colour on the terminal: auto, always or never")
      ->check(one_of({"auto", "always", "never"}))
      ->option_text("WHEN")
      ->group(group);
  app.add_option("--threads", common.threads,
                 "Threads for computing; 0: LLMCTL_THREADS of the environment, else the cores that "
                 "this process may use")
      ->option_text("N")
      ->group(group);
}

namespace {

/// "objective (masked_lm).whole_word" is written objective.whole_word.
std::string without_kinds(std::string path) {
  for (std::size_t begin = 0; (begin = path.find(" (")) != path.npos;) {
    path.erase(begin, path.find(')', begin) + 1 - begin);
  }
  return path;
}

/// True for a key, or a section of keys.
bool is_known(const std::string& path, const std::vector<std::string>& known) {
  return std::any_of(known.begin(), known.end(), [&](const std::string& key) {
    return key == path || key.starts_with(path + ".");
  });
}

/// Refuses a path that the configuration neither has nor could have.
void check_unset(const JsonDocument& document, const std::string& path,
                 const std::vector<std::string>& known) {
  const Json* value = &document.value;
  std::string rest = path;
  while (!rest.empty()) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string part = rest.substr(0, dot);
    rest.erase(0, dot + 1);
    const bool index = part.find_first_not_of("0123456789") == part.npos;
    if (value->is_array() && index && part.size() < 9 && std::stoul(part) < value->size()) {
      value = &(*value)[std::stoul(part)];
    } else if (value->is_object() && value->contains(part)) {
      value = &(*value)[part];
    } else {
      require(is_known(path, known), ErrorCode::kConfig, "--unset ", path, ": unknown key",
              did_you_mean(path, known));
      return;
    }
  }
}

}  // namespace

CLI::App* add_command(CLI::App& parent, CommonOptions& common, const std::string& name,
                      const std::string& purpose, const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, purpose);
  command->set_help_flag("-h,--help", "Print this help and exit");
  command->set_version_flag("--version", version_text);
  if (!examples.empty()) command->footer("Examples:\n" + examples);
  add_common_options(*command, common);
  return command;
}

void add_config_options(CLI::App& command, ConfigOptions& options, bool writes) {
  const std::string group = "Configuration";
  command
      .add_option("-c,--config", options.files,
                  "Configuration file; may be repeated, later ones win")
      ->option_text("FILE")
      ->allow_extra_args(false)
      ->group(group);
  command
      .add_option("--set", options.sets,
                  "Set a key of the configuration; the value is JSON or text; may be repeated")
      ->option_text("KEY.PATH=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  command
      .add_option("--unset", options.unsets, "Remove a key of the configuration; may be repeated")
      ->option_text("KEY.PATH")
      ->allow_extra_args(false)
      ->group(group);
  if (!writes) return;
  command.add_flag("--dry-run", options.dry_run, "Check everything, print the plan, write nothing")
      ->group(group);
}

void print_result(const CommonOptions& common, const Json& json, const std::string& text) {
  write_stdout(common.json ? dump_json(json, 2) + "\n" : text);
}

std::string text_table(const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<TableColumn> headers;
  for (const auto& column : columns) headers.push_back({column, Align::kLeft});
  Table table(std::move(headers));
  for (const auto& row : rows) table.add_row(row);
  return table.render(STDOUT_FILENO);
}

JsonDocument load_document(const ConfigOptions& options, const std::string& command) {
  if (!options.unsets.empty()) {
    const JsonDocument before = load_run_document(options.files, options.sets, {});
    std::vector<std::string> known;
    for (const ConfigKey& key : config_keys(config_command(command, before))) {
      known.push_back(without_kinds(key.path));
    }
    for (const std::string& path : options.unsets) check_unset(before, path, known);
  }
  return load_run_document(options.files, options.sets, options.unsets);
}

void set_string(ConfigOptions& options, const std::string& key, const std::string& value) {
  options.sets.push_back(key + "=" + Json(value).dump());
}

}  // namespace llmctl
