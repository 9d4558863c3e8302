// inspect: what is in a file, and what a model computes.
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "base/output.h"
#include "cli/commands.h"
#include "cli/inspect_rows.h"
#include "report/table.h"
#include "runs/inspect.h"
#include "runs/probe.h"

namespace llmctl {
namespace {

void print_inspection(const CommonOptions& common, const Inspection& inspection) {
  std::string text = render_facts(STDOUT_FILENO, inspection.title, inspection.facts);
  if (!inspection.parts.empty()) text += "\n" + text_table(inspection.columns, inspection.parts);
  print_result(common, inspection.json, text);
}

std::vector<std::int64_t> parse_ids(const std::string& text) {
  std::vector<std::int64_t> ids;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find_first_of(", ", begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty()) continue;
    require(part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos,
            ErrorCode::kUsage, "--ids: '", part, "' is no token id");
    ids.push_back(std::stoll(part));
  }
  require(!ids.empty(), ErrorCode::kUsage, "--ids: expected numbers such as 2,17,3");
  return ids;
}

/// -m, --device and --precision, into the members of an options struct.
template <class Options>
void add_model_options(CLI::App& command, Options& options) {
  command.add_option("-m,--model", options.model, "Model or run directory")
      ->option_text("DIR")
      ->required();
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")
      ->option_text("DEVICE");
  command.add_option("--precision", options.precision, "fp32 or bf16")->option_text("NAME");
}

void add_forward_command(CLI::App& inspect, const CommandContext& context) {
  auto options = std::make_shared<ForwardOptions>();
  auto ids = std::make_shared<std::string>();
  CLI::App* const command = add_command(
      inspect, context.common, "forward",
      "Write the logits, hidden states and attention maps of a text to a safetensors file",
      "  llmctl inspect forward -m runs/masked --text 'The [MASK] sat.' -o forward.safetensors\n"
      "  llmctl inspect forward -m runs/causal --ids 1,17,4 -o forward.safetensors --html a.html");
  add_model_options(*command, *options);
  command->add_option("--text", options->text, "A text; special tokens are put around it")
      ->option_text("TEXT");
  command->add_option("--ids", *ids, "Token ids, as they are")->option_text("N,N,…");
  command
      ->add_option("--target", options->target,
                   "Of encoder-decoders: what the decoder has written so far")
      ->option_text("TEXT");
  command
      ->add_option("-o,--output", options->output,
                   "The file; one that this command wrote before is replaced")
      ->option_text("FILE.safetensors")
      ->required();
  command->add_option("--html", options->picture, "A page with the attention maps")
      ->option_text("FILE.html");
  command->add_flag("--overwrite", options->overwrite, "Replace files that are there");
  command->callback([options, ids, context] {
    context.action = [options, ids, context] {
      require(!is_standard_output(options->output), ErrorCode::kUsage,
              "tensors go to a file: -o FILE.safetensors");
      if (!ids->empty()) options->ids = parse_ids(*ids);
      const ForwardReport report = inspect_forward(*options);
      print_result(context.common, report.json,
                   render_facts(STDOUT_FILENO, options->model, report.facts));
      return 0;
    };
  });
}

void add_embed_command(CLI::App& inspect, const CommandContext& context) {
  auto options = std::make_shared<EmbedOptions>();
  auto raw = std::make_shared<bool>(false);
  CLI::App* const command = add_command(
      inspect, context.common, "embed",
      "Sentence embeddings of texts, and how alike they are (cosines)",
      "  llmctl inspect embed -m runs/masked 'A dog barks.' 'A cat purrs.' '股市下跌。'\n"
      "  llmctl --json inspect embed -m all-MiniLM-L6-v2 'A dog barks.'");
  add_model_options(*command, *options);
  command->add_option("texts", options->texts, "Texts")->option_text("TEXT…")->required();
  command
      ->add_option("--pooling", options->pooling,
                   "mean of the tokens' last hidden states, that of the first (cls) or of the last")
      ->check(one_of({"mean", "cls", "last"}));
  command->add_flag("--raw", *raw, "Do not scale the vectors to length 1");
  command->callback([options, raw, context] {
    context.action = [options, raw, context] {
      options->normalize = !*raw;
      const auto vectors = embed_texts(*options);
      const auto product = [](const std::vector<float>& a, const std::vector<float>& b) {
        return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
      };
      std::vector<std::string> columns = {"text"};
      std::vector<std::vector<std::string>> rows;
      Json cosines = Json::array();
      for (std::size_t i = 0; i < vectors.size(); ++i) {
        columns.push_back(std::to_string(i + 1));
        rows.push_back({concat(i + 1, "  ", options->texts[i])});
        Json line = Json::array();
        for (const auto& other : vectors) {
          const double cosine = product(vectors[i], other) /
                                std::sqrt(product(vectors[i], vectors[i]) * product(other, other));
          line.push_back(cosine);
          rows.back().push_back(format_number(cosine, 4));
        }
        cosines.push_back(std::move(line));
      }
      print_result(context.common,
                   {{"texts", options->texts}, {"embeddings", vectors}, {"cosines", cosines}},
                   text_table(columns, rows));
      return 0;
    };
  });
}

void add_diff_command(CLI::App& inspect, const CommandContext& context) {
  struct Options {
    std::string first, second;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      add_command(inspect, context.common, "diff", "What differs between two models' tensors",
                  "  llmctl inspect diff runs/causal/checkpoints/step-000100 runs/causal/best");
  command->add_option("first", options->first, "Directory or file")
      ->option_text("PATH")
      ->required();
  command->add_option("second", options->second, "Directory or file")
      ->option_text("PATH")
      ->required();
  command->callback([options, context] {
    context.action = [options, context] {
      print_inspection(context.common, compare_models(options->first, options->second));
      return 0;
    };
  });
}

}  // namespace

void add_inspect_command(CommandContext context) {
  struct Options {
    std::string path;
    bool all = false, tree = false, statistics = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(context.root, context.common, "inspect",
                  "Tell what is in a model, adapter, checkpoint, run or shard directory, a .gguf, "
                  "safetensors or .bin file or a tokenizer; or what a model computes",
                  "  llmctl inspect runs/causal\n"
                  "  llmctl inspect runs/causal --tree --stats\n"
                  "  llmctl inspect runs/causal/best/model.safetensors --all");
  command->add_option("path", options->path, "Directory or file")->option_text("PATH");
  CLI::Option* const all =
      command->add_flag("--all", options->all, "Every tensor, not one line per kind");
  command->add_flag("--tree", options->tree, "Modules within modules")->excludes(all);
  command->add_flag("--stats", options->statistics,
                    "Mean, deviation, least and most of each, zeros, what is not finite");
  command->require_subcommand(0, 1);
  add_forward_command(*command, context);
  add_embed_command(*command, context);
  add_diff_command(*command, context);
  add_rows_command(*command, context);
  command->callback([options, context, command] {
    if (!command->get_subcommands().empty()) return;
    context.action = [options, context] {
      require(!options->path.empty(), ErrorCode::kUsage,
              "inspect: name a directory or file, or one of forward, embed, diff and rows");
      const Listing listing = options->all    ? Listing::kTensors
                              : options->tree ? Listing::kTree
                                              : Listing::kGroups;
      print_inspection(context.common, inspect_path(options->path, listing, options->statistics));
      return 0;
    };
  });
}

}  // namespace llmctl
