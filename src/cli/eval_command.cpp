#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "base/log.h"
#include "base/output.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "report/table.h"
#include "runs/evaluation.h"
#include "runs/sections.h"
#include "tasks/task.h"

namespace llmctl {

namespace {

struct EvalOptions {
  ConfigOptions config;
  std::string model, task, predictions, save_predictions, save_nbest, save_null_odds, output, page,
      device, precision, quantize;
  std::vector<std::string> data, references, baselines, bounds, train;
  std::optional<std::int64_t> batch_size, sequence_length;
  bool pseudo_perplexity = false, overwrite = false, skip_bad = false;
};

std::string evaluation_text(const EvaluationReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& entry : report.entries) {
    for (const Score& score : entry.scores) {
      std::vector<std::string> beside;
      for (const Baseline& baseline : entry.baselines) {
        const Score* reached = baseline.scores.find(score.kind.name);
        if (reached == nullptr || score.kind.better == Direction::kNone) continue;
        beside.push_back(concat(format_score(*reached), " (", baseline.rule, ")"));
      }
      rows.push_back({entry.name, score.kind.name, format_score(score), join(beside)});
    }
  }
  const bool any_baseline =
      std::any_of(rows.begin(), rows.end(), [](const auto& row) { return !row[3].empty(); });
  std::vector<std::string> columns = {"task", "metric", "score", "baseline"};
  if (!any_baseline) {
    columns.pop_back();
    for (auto& row : rows) row.pop_back();
  }
  std::string text;
  if (!report.model.empty()) text += report.model + "\n";
  text += text_table(columns, rows);
  for (const auto& entry : report.entries) {
    for (const EvaluationTable& table : entry.tables) {
      if (table.rows.empty()) continue;
      text +=
          concat("\n", entry.name, ": ", table.title, "\n", text_table(table.columns, table.rows));
    }
  }
  return text;
}

/// Flags as one entry of `tasks`; empty when none was given.
Json entry_of(const EvalOptions& options) {
  Json entry = Json::object();
  if (!options.task.empty()) entry["type"] = options.task;
  if (!options.data.empty()) entry["data"] = options.data;
  if (!options.predictions.empty()) entry["predictions"] = options.predictions;
  if (!options.references.empty()) entry["references"] = options.references;
  if (!options.save_predictions.empty()) entry["save_predictions"] = options.save_predictions;
  if (!options.save_nbest.empty()) entry["save_nbest"] = options.save_nbest;
  if (!options.save_null_odds.empty()) entry["save_null_odds"] = options.save_null_odds;
  if (options.sequence_length) entry["sequence_length"] = *options.sequence_length;
  if (!options.train.empty()) entry["train"] = options.train;
  if (options.pseudo_perplexity) entry["pseudo_perplexity"] = true;
  if (options.skip_bad) entry["skip_bad"] = true;
  return entry;
}

/// Puts what the flags say of a task under what --set says: into the configuration's only task, or
/// as the only one, which --set tasks.0.KEY alone may ask for. kUsage where the configuration has
/// several.
void add_entry(ConfigOptions& config, const Json& entry) {
  const bool set = std::any_of(config.sets.begin(), config.sets.end(),
                               [](const std::string& one) { return one.starts_with("tasks.0."); });
  if (entry.empty() && !set) return;
  const JsonDocument files = load_run_document(config.files, {}, config.unsets);
  const Json tasks = files.value.value("tasks", Json::array());
  require(tasks.size() <= 1 || entry.empty(), ErrorCode::kUsage, "the configuration has ",
          tasks.size(),
          " tasks: --task, --data, --predictions, --references and the like are for one; use "
          "--set tasks.N.KEY=VALUE");
  std::vector<std::string> sets;
  if (tasks.empty()) {
    sets.push_back("tasks=" + Json::array({entry}).dump());
  } else {
    for (const auto& [key, value] : entry.items())
      sets.push_back(concat("tasks.0.", key, "=", value.dump()));
  }
  config.sets.insert(config.sets.begin(), sets.begin(), sets.end());
}

int run_eval(const CommonOptions& common, EvalOptions options) {
  ConfigOptions& config = options.config;
  if (!options.model.empty()) set_string(config, "model.init_from", options.model);
  if (!options.output.empty()) set_string(config, "output.file", options.output);
  if (!options.page.empty()) set_string(config, "page", options.page);
  if (!options.device.empty()) set_string(config, "compute.device", options.device);
  if (!options.precision.empty()) set_string(config, "compute.precision", options.precision);
  if (!options.quantize.empty()) set_string(config, "compute.quantize", options.quantize);
  if (options.batch_size) config.sets.push_back(concat("batch_size=", *options.batch_size));
  if (common.threads > 0) config.sets.push_back(concat("compute.threads=", common.threads));
  if (!options.baselines.empty())
    config.sets.push_back("baselines=" + Json(options.baselines).dump());
  add_entry(config, entry_of(options));
  JsonDocument document = load_document(config, "eval");
  for (const auto& bound : options.bounds) {
    const auto equals = bound.find('=');
    double value = 0;
    const char* end = bound.data() + bound.size();
    require(equals != std::string::npos && equals > 0 &&
                std::from_chars(bound.data() + equals + 1, end, value).ptr == end &&
                equals + 1 < bound.size(),
            ErrorCode::kUsage, "--fail-under ", bound, ": expected METRIC=VALUE");
    document.value["fail_under"][bound.substr(0, equals)] = value;
  }
  const EvaluationReport report = run_evaluation(document, config.dry_run, options.overwrite);
  if (config.dry_run) {
    std::vector<std::pair<std::string, std::string>> plan;
    if (!report.model.empty()) plan.emplace_back("model", report.model);
    for (const auto& entry : report.entries)
      plan.emplace_back(entry.name, concat(entry.type, " on ", entry.data));
    Json json = Json::object();
    for (const auto& [name, what] : plan) json[name] = what;
    if (!report.notes.empty()) json["notes"] = report.notes;
    print_result(common, json, render_facts(STDOUT_FILENO, "plan of eval", plan));
    return 0;
  }
  const Json output = document.value.value("output", Json::object());
  // Where the result itself went to standard output, the table would follow it.
  if (!is_standard_output(output.value("file", std::string())))
    print_result(common, report.to_json(), evaluation_text(report));
  for (const auto& missed : report.missed) log_error("bound not met: ", missed);
  return report.missed.empty() ? 0 : 1;
}

}  // namespace

void add_eval_command(CommandContext context) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = add_command(
      context.root, context.common, "eval", "Score a model, or predictions against references",
      "  llmctl eval -m runs/causal --baseline ngram:5\n"
      "  llmctl eval -m runs/qa --data data/qa/zh-valid.json --fail-under exact_match=70\n"
      "  llmctl eval --task extractive_qa --predictions predictions.json --references "
      "data/qa/en-valid.json\n"
      "  llmctl eval -c configs/eval/qa.json --json");
  add_config_options(*command, options->config);
  command
      ->add_option("-m,--model", options->model,
                   "Model, checkpoint or run directory (model.init_from)")
      ->option_text("DIR");
  command->add_option("--task", options->task, join(task_types()) + " (type)")->option_text("TYPE");
  command
      ->add_option("--data", options->data,
                   "Text or labelled files; default: the run's held-out data (data)")
      ->option_text("FILE...");
  command
      ->add_option("--predictions", options->predictions,
                   "Predictions file to score instead of a model (predictions)")
      ->option_text("FILE");
  command->add_option("--references", options->references, "Labelled files for it (references)")
      ->option_text("FILE...");
  command
      ->add_option("--save-predictions", options->save_predictions,
                   "Write the model's predictions (save_predictions)")
      ->option_text("FILE");
  command
      ->add_option("--save-nbest", options->save_nbest,
                   "Questions: write the n best answers with probabilities (save_nbest)")
      ->option_text("FILE");
  command
      ->add_option("--save-null-odds", options->save_null_odds,
                   "Questions: write how likely each has no answer, as SQuAD 2.0's script reads it "
                   "(save_null_odds)")
      ->option_text("FILE");
  command
      ->add_option("--baseline", options->baselines,
                   "ngram:N, a Kneser-Ney model of the same tokens (baselines)")
      ->option_text("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--train", options->train,
                   "Text that n-gram baselines are trained on; default: the run's (train)")
      ->option_text("FILE...");
  command->add_flag("--pseudo-perplexity", options->pseudo_perplexity,
                    "Masked LMs: mask each token in turn (pseudo_perplexity)");
  command->add_flag("--skip-bad", options->skip_bad,
                    "Leave bad rows of labelled files out, listed and counted (skip_bad)");
  command
      ->add_option(
          "--fail-under", options->bounds,
          "Exit 1 when the score is below (losses, perplexities: above) the value; shares are "
          "percentages, 0 to 100 (fail_under)")
      ->option_text("METRIC=VALUE")
      ->allow_extra_args(false);
  command->add_option("-o,--output", options->output, "Write the result as JSON too (output.file)")
      ->option_text("FILE");
  command
      ->add_option("--html", options->page,
                   "Write a page with the scores and the tables behind them (page)")
      ->option_text("FILE.html");
  command->add_flag("--overwrite", options->overwrite, "Replace files of results that are there");
  command->add_option("--batch-size", options->batch_size, "Rows per forward pass (batch_size)")
      ->check(between(1, 100'000))
      ->option_text("N");
  command
      ->add_option("--sequence-length", options->sequence_length,
                   "Longest row in tokens (sequence_length)")
      ->check(between(1, 1'000'000))
      ->option_text("N");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N (compute.device)")
      ->option_text("DEVICE");
  command->add_option("--precision", options->precision, "auto, fp32 or bf16 (compute.precision)")
      ->option_text("NAME");
  command
      ->add_option("--quantize", options->quantize,
                   "Weights as int8 or int4 integers (compute.quantize)")
      ->option_text("NAME")
      ->check(one_of({"none", "int8", "int4"}));
  command->callback([options, context] {
    context.action = [options, context] { return run_eval(context.common, *options); };
  });
}

}  // namespace llmctl
