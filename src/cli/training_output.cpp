#include "cli/training_output.h"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "base/terminal.h"
#include "report/table.h"

namespace llmctl {

void add_training_options(CLI::App& command, TrainingCommandOptions& options) {
  options.command = command.get_name();
  add_config_options(command, options.config);
  command
      .add_option("-m,--model", options.model,
                  "Model, checkpoint or run directory to start from (model.init_from)")
      ->option_text("DIR");
  command.add_option("-o,--run-dir", options.run_dir, "Run directory (run.dir)")
      ->option_text("DIR");
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N (train.device)")
      ->option_text("DEVICE");
  command.add_flag("--overwrite", options.overwrite,
                   "Remove the run that the directory holds and start anew");
  command.add_flag(
      "--change", options.change,
      "Go on with a run under other values of keys that may change on request (length, "
      "learning rate, batch size, …); llmctl config keys tells which");
  command.add_flag("--skip-bad", options.skip_bad,
                   "Leave bad rows of labelled files out, listed and counted (data.skip_bad)");
}

namespace {

/// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// The same command again, which goes on where it was interrupted.
std::string same_command(const std::vector<std::string>& command_line) {
  std::string text = "llmctl";
  for (std::size_t i = 1; i < command_line.size(); ++i) {
    if (command_line[i] != "--overwrite") text += " " + quoted(command_line[i]);
  }
  return text;
}

/// A row for each share of a learning curve; empty where there is none.
std::string curve_table(const Json& curve) {
  if (!curve.is_object()) return "";
  std::vector<TableColumn> columns = {
      {"share", Align::kRight}, {"records", Align::kRight}, {"best step", Align::kRight}};
  std::vector<std::vector<std::string>> rows;
  for (const Json& point : curve.at("shares")) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const char* key : {"share", "records", "best_step"})
      row.push_back(dump_json(point.at(key)));
    for (const Score& score : Scores::from_json(point.at("scores"))) {
      if (rows.size() == 1) columns.push_back({score.kind.name, Align::kRight});
      row.push_back(format_score(score));
    }
    row.resize(columns.size());
  }
  Table table(std::move(columns));
  for (std::vector<std::string>& row : rows) table.add_row(std::move(row));
  return "\n" + table.render(STDOUT_FILENO);
}

}  // namespace

std::string training_table(const TrainingReport& report,
                           const std::vector<std::string>& command_line) {
  const TrainingOutcome& outcome = report.outcome;
  std::vector<std::pair<std::string, std::string>> rows;
  rows.emplace_back("model",
                    concat(report.facts.architecture, ", ",
                           format_count(static_cast<double>(report.parameters)), " parameters"));
  rows.emplace_back(
      "steps", concat(outcome.steps, outcome.stopped.empty() ? "" : " (" + outcome.stopped + ")"));
  rows.emplace_back("time", format_duration(outcome.seconds));
  rows.emplace_back("tokens", format_count(outcome.tokens));
  if (!outcome.best_scores.empty()) {
    rows.emplace_back("best step", concat(outcome.best_step, " by ", outcome.best_score));
    for (const Score& score : outcome.best_scores)
      rows.emplace_back("  " + score.kind.name, format_score(score));
  }
  if (report.self_training.is_object()) {
    for (const Json& round : report.self_training.at("rounds")) {
      if (!round.contains("scores")) continue;
      const Scores scores = Scores::from_json(round.at("scores"));
      const std::string name = outcome.best_score.substr(outcome.best_score.find('/') + 1);
      const Score* score = scores.find(name);
      rows.emplace_back(concat("round ", dump_json(round.at("round"))),
                        concat(name, " ", score == nullptr ? "–" : format_score(*score),
                               round.contains("taught")
                                   ? concat(", ", dump_json(round.at("taught")), " taught texts")
                                   : std::string()));
    }
  }
  rows.emplace_back("load", outcome.best_directory.empty() ? outcome.last_directory.string()
                                                           : outcome.best_directory.string());
  rows.emplace_back("next", outcome.exit_status != 0
                                ? same_command(command_line)
                                : "llmctl generate -m " + report.directory.string() + " " +
                                      report.generate_flags);
  return render_facts(STDOUT_FILENO, report.command + ": " + report.directory.string(), rows) +
         curve_table(report.learning_curve);
}

int run_training_command(const CommonOptions& common, TrainingCommandOptions options) {
  ConfigOptions& config = options.config;
  if (!options.model.empty()) set_string(config, "model.init_from", options.model);
  if (!options.run_dir.empty()) set_string(config, "run.dir", options.run_dir);
  if (!options.device.empty()) set_string(config, "train.device", options.device);
  if (common.threads > 0) config.sets.push_back(concat("train.threads=", common.threads));
  if (options.skip_bad) config.sets.push_back("data.skip_bad=true");
  if (!options.shares.empty())
    config.sets.push_back("learning_curve.shares=" + dump_json(options.shares));
  require(!config.files.empty() || !config.sets.empty(), ErrorCode::kUsage,
          "no configuration given: use -c FILE (llmctl config init writes one)");
  const JsonDocument document = load_document(config, options.command);
  const TrainingReport report = train_from_config(options.command, document,
                                                  {.overwrite = options.overwrite,
                                                   .change = options.change,
                                                   .dry_run = config.dry_run,
                                                   .command_line = common.command_line});
  const std::string text =
      config.dry_run ? render_facts(STDOUT_FILENO, "plan of " + report.command, report.plan)
                     : training_table(report, common.command_line);
  print_result(common, report.to_json(), text);
  return report.outcome.exit_status;
}

}  // namespace llmctl
