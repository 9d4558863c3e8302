// bench: speed and memory against what the machine allows.
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "report/table.h"
#include "runs/bench_generate.h"

namespace llmctl {
namespace {

void add_bench_generate_command(CLI::App& bench, const CommandContext& context) {
  auto options = std::make_shared<BenchOptions>();
  auto bench_case = std::make_shared<std::string>();
  CLI::App* const command = add_command(
      bench, context.common, "generate",
      "Tokens per second of prompts and answers, time to the first token and memory, beside what "
      "memory and arithmetic allow",
      "  llmctl bench generate --shape llama-134m\n"
      "  llmctl bench generate -m runs/causal --batch 1,16 --prompt 16,512 --json");
  command->add_option("--shape", options->shape, "A shape with random weights")
      ->check(one_of(bench_shapes()))
      ->option_text("NAME");
  command->add_option("-m,--model", options->model, "Model or run directory")->option_text("DIR");
  command->add_option("--form", options->forms, "Forms of the weights: " + join(bench_forms()))
      ->delimiter(',')
      ->option_text("NAME,…");
  command->add_option("--batch", options->batches, "Rows that are answered together")
      ->delimiter(',')
      ->option_text("N,…");
  command->add_option("--prompt", options->prompts, "Tokens of the prompts that are answered")
      ->delimiter(',')
      ->option_text("N,…");
  command->add_option("--new-tokens", options->new_tokens, "Tokens of each answer")
      ->option_text("N");
  command
      ->add_option("--prefill", options->prefill,
                   "Tokens of the prompt whose processing is measured; 0: none")
      ->option_text("N");
  command
      ->add_option("--beams", options->beams,
                   "Of encoder-decoders, a beam search is measured, too; 1: none")
      ->option_text("N");
  command->add_option("--repetitions", options->repetitions, "Of each measurement; the best counts")
      ->option_text("N");
  command->add_option("--device", options->device, "cpu, the only one that has roofs so far")
      ->option_text("DEVICE");
  command->add_option("--case", *bench_case, "What a process that this command starts measures")
      ->group("");
  command->callback([options, bench_case, context] {
    context.action = [options, bench_case, context] {
      if (!bench_case->empty()) {
        write_stdout(dump_json(bench_generate_case(*bench_case)) + "\n");
        return 0;
      }
      options->threads = context.common.threads;
      const BenchReport report =
          bench_generate(*options, [](const std::string& line) { log_info(line); });
      print_result(context.common, report.json,
                   render_facts(STDOUT_FILENO, "llmctl bench generate", report.facts) + "\n" +
                       text_table(report.columns, report.rows));
      return 0;
    };
  });
}

}  // namespace

void add_bench_command(CommandContext context) {
  CLI::App* const bench = add_command(context.root, context.common, "bench",
                                      "Measure speed and memory against the roofs of this machine",
                                      "  llmctl bench generate --shape llama-134m\n"
                                      "  llmctl bench generate -m runs/causal --batch 1,16 --json");
  bench->require_subcommand(1);
  add_bench_generate_command(*bench, context);
}

}  // namespace llmctl
