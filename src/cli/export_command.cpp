#include <unistd.h>
#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "report/table.h"
#include "runs/export.h"

namespace llmctl {

void add_export_command(CommandContext context) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      add_command(context.root, context.common, "export",
                  "Write a clean model directory: weights, config and tokenizer, "
                  "without a run's other files; or "
                  "a GGUF file for llama.cpp",
                  "  llmctl export -m runs/causal -o my-model\n"
                  "  llmctl export -m runs/causal -o my-model-bf16 --dtype bf16\n"
                  "  llmctl export -m runs/causal --gguf q8_0 -o my-model.gguf\n"
                  "  llmctl export -m runs/causal --quantize int8 -o my-model-int8\n"
                  "  llmctl export -m runs/en-de --average 5 --average-of best -o my-translator");
  command
      ->add_option("-m,--model", options->model, "Model, checkpoint or run directory; a .gguf file")
      ->option_text("DIR")
      ->required();
  command->add_option("-o,--output", options->directory, "Directory, or .gguf file, to make")
      ->option_text("PATH")
      ->required();
  command
      ->add_option("--dtype", options->dtype,
                   "Weights in fp32, bf16 or fp16; as the model's files have them by default")
      ->option_text("DTYPE")
      ->check(one_of({"fp32", "bf16", "fp16"}));
  command
      ->add_option("--quantize", options->quantize,
                   "Matrices as int8 or int4 integers, which llmctl alone reads")
      ->option_text("NAME")
      ->check(one_of({"int8", "int4"}));
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "Most bytes of a file of weights; more become files with an index")
      ->option_text("SIZE (5GB)")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--gguf", options->gguf,
                   "A file for llama.cpp, its matrices in f32, f16, bf16, q8_0 or q4_0")
      ->option_text("TYPE")
      ->check(one_of(gguf_type_names()));
  CLI::Option* const average =
      command
          ->add_option("--average", options->average,
                       "Mean of the weights of so many checkpoints of a run directory")
          ->option_text("N")
          ->check(between(2, 1'000'000));
  command
      ->add_option("--average-of", options->average_of,
                   "Which checkpoints: the last ones, or those whose validation was best")
      ->option_text("last|best")
      ->check(one_of({"last", "best"}))
      ->needs(average);
  command->add_flag("--overwrite", options->overwrite,
                    "Replace a model's directory, or the file, that is there");
  command->add_flag("--dry-run", options->dry_run,
                    "Check everything, print the plan, write nothing");
  command->callback([options, context] {
    context.action = [options, context] {
      const ExportReport report = run_export(*options);
      for (const std::string& note : report.notes) log_warning(note);
      print_result(
          context.common, report.to_json(),
          render_facts(
              STDOUT_FILENO, options->dry_run ? "plan of export" : "export",
              {{"from", report.averaged.empty() ? report.source.string()
                                                : concat("the mean of ", join(report.averaged),
                                                         " of ", options->model)},
               {"to", report.directory.string()},
               {"model", report.architecture},
               {"weights",
                concat(format_count(static_cast<double>(report.parameters)), " in ", report.dtype,
                       ", ", format_bytes(report.bytes), report.gguf.empty() ? "" : " (",
                       report.gguf, report.gguf.empty() ? "" : ")")},
               {"next", "llmctl generate -m " + report.directory.string()}}));
      return 0;
    };
  });
}

}  // namespace llmctl
