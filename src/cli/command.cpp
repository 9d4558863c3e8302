#include "cli/command.h"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "base/terminal.h"
#include "report/table.h"
#include "runs/build_facts.h"

namespace llmctl {

CLI::App* add_command(CLI::App& parent, CommonOptions& common, const std::string& name,
                      const std::string& purpose, const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, purpose);
  command->set_help_flag("-h,--help", "Print this help and exit");
  command->set_version_flag("--version", version_text);
  if (!examples.empty()) command->footer("Examples:\n" + examples);
  const std::string group = "Common options";
  command->add_flag("-v,--verbose", common.verbose, "Tell more on stderr")->group(group);
  command->add_flag("-q,--quiet", common.quiet, "Only warnings and errors on stderr, no progress")
      ->group(group);
  command->add_flag("--json", common.json, "Print the result as JSON")->group(group);
  command->add_option("--color", common.color, "Colour on the terminal: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->option_text("WHEN")
      ->group(group);
  command
      ->add_option("--threads", common.threads,
                   "Threads for computing; 0: the cores that this process may use")
      ->option_text("N")
      ->group(group);
  return command;
}

void add_config_options(CLI::App& command, ConfigOptions& options) {
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

void set_string(ConfigOptions& options, const std::string& key, const std::string& value) {
  options.sets.push_back(key + "=" + Json(value).dump());
}

}  // namespace llmctl
