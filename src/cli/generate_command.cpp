#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/log.h"
#include "base/terminal.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/line_reader.h"
#include "report/table.h"
#include "runs/chat.h"
#include "runs/generation.h"

namespace llmctl {

namespace {

struct GenerateOptions {
  ConfigOptions config;
  std::string model, file, question, context, output, device, precision;
  std::vector<std::string> prompts;
  std::int64_t max_new_tokens = 0, max_length = 0, samples = 0, top = 0, seed = -1;
  double temperature = -1, top_p = -1;
  std::int64_t top_k = -1;
  std::vector<std::string> stop;
  std::string chat_template, system;
  bool raw = false, greedy = false, chat = false;
};

/// Lines from standard input, answers to standard output.
int converse(const CommonOptions& common, const JsonDocument& document) {
  LineReader reader("> ");
  std::string shown;
  ChatConsole console;
  console.read = [&] { return reader.read(); };
  console.tell = [](const std::string& text) { log_info(text); };
  console.warn = [](const std::string& text) { log_warning(text); };
  console.answer = [&](const Json& answer) {
    if (common.json) return write_stdout(dump_json(answer) + "\n");
    if (shown.empty()) write_stdout(escape_control(answer["content"].get<std::string>()));
    write_stdout("\n");
    shown.clear();
  };
  if (!common.json) {
    console.piece = [&](const std::string& text) {
      shown += text;
      write_stdout(escape_control(text));
    };
  }
  run_chat(document, console);
  return 0;
}

void check_argument(const char* flag, const std::string& text) {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, flag, ": invalid UTF-8 at byte ", *bad,
         "; the terminal or script must send UTF-8");
  }
}

int run_generate(const CommonOptions& common, GenerateOptions options) {
  ConfigOptions& config = options.config;
  for (const auto& prompt : options.prompts) check_argument("--prompt", prompt);
  check_argument("--question", options.question);
  check_argument("--context", options.context);
  const auto set_number = [&](const char* key, auto value) {
    config.sets.push_back(concat(key, "=", value));
  };
  if (!options.model.empty()) set_string(config, "model.init_from", options.model);
  if (!options.prompts.empty())
    config.sets.push_back("input.prompt=" + Json(options.prompts).dump());
  if (!options.file.empty()) set_string(config, "input.file", options.file);
  if (!options.question.empty()) set_string(config, "input.question", options.question);
  if (!options.context.empty()) set_string(config, "input.context", options.context);
  if (!options.output.empty()) set_string(config, "output.file", options.output);
  if (!options.device.empty()) set_string(config, "compute.device", options.device);
  if (!options.precision.empty()) set_string(config, "compute.precision", options.precision);
  if (common.threads > 0) set_number("compute.threads", common.threads);
  if (options.max_new_tokens > 0) set_number("generation.max_new_tokens", options.max_new_tokens);
  if (options.max_length > 0) set_number("generation.max_length", options.max_length);
  if (options.samples > 0) set_number("generation.num_return_sequences", options.samples);
  if (options.temperature >= 0) set_number("generation.temperature", options.temperature);
  if (options.top_k >= 0) set_number("generation.top_k", options.top_k);
  if (options.top_p >= 0) set_number("generation.top_p", options.top_p);
  if (options.seed >= 0) set_number("generation.seed", options.seed);
  if (!options.stop.empty()) config.sets.push_back("generation.stop=" + Json(options.stop).dump());
  if (options.greedy) config.sets.push_back("generation.do_sample=false");
  if (options.top > 0) set_number("top", options.top);
  if (!options.chat_template.empty()) set_string(config, "chat.template", options.chat_template);
  if (!options.system.empty()) set_string(config, "chat.system", options.system);
  const JsonDocument document = load_document(config, "generate");
  if (config.dry_run) {
    const auto plan = plan_generation(document);
    Json json = Json::object();
    for (const auto& [name, value] : plan) json[name] = value;
    print_result(common, json, render_facts(STDOUT_FILENO, "plan of generate", plan));
    return 0;
  }
  const bool has_input = document.value.contains("input") &&
                         std::any_of(document.value["input"].begin(), document.value["input"].end(),
                                     [](const Json& value) { return !value.empty(); });
  if (options.chat && !has_input) return converse(common, document);
  bool streamed = false;
  std::function<void(const std::string&)> on_text;
  if (!common.json) {
    on_text = [&](const std::string& text) {
      streamed = true;
      write_stdout(escape_control(text));
    };
  }
  const GenerationReport report = run_generation(document, {options.raw, options.chat}, on_text);
  if (!report.file.empty()) {
    const std::string before =
        report.done_before > 0 ? concat(" (", report.done_before, " from before)") : "";
    print_result(common,
                 {{"file", report.file.string()},
                  {"answers", report.done},
                  {"inputs", report.count},
                  {"done_before", report.done_before},
                  {"seconds", report.seconds}},
                 render_facts(STDOUT_FILENO, "generate: " + report.file.string(),
                              {{"answers", concat(report.done, " of ", report.count, before)},
                               {"time", format_duration(report.seconds)}}));
    return report.exit_status;
  }
  if (streamed) {
    write_stdout("\n");
    return 0;
  }
  std::string text;
  for (const std::string& answer : report.texts) text += escape_control(answer) + "\n";
  print_result(common, report.records.size() == 1 ? report.records.front() : Json(report.records),
               text);
  return 0;
}

}  // namespace

void add_generate_command(CommandContext context) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = add_command(
      context.root, context.common, "generate",
      "A model's own kind of answer: text from a prompt, filled masks, the answer to a question, a "
      "label",
      "  llmctl generate -m runs/causal -p 我今天去了公园 --max-new-tokens 40 --temperature 0.8\n"
      "  llmctl generate -m runs/masked -p \"The [MASK] sat on the mat.\"\n"
      "  llmctl generate -m runs/qa --question \"Who found it?\" --context @passage.txt\n"
      "  llmctl generate -m runs/causal -f prompts.txt -o answers.jsonl\n"
      "  llmctl generate -m runs/answers --chat");
  add_config_options(*command, options->config);
  command
      ->add_option("-m,--model", options->model,
                   "Model, checkpoint or run directory (model.init_from)")
      ->option_text("DIR");
  command
      ->add_option("-p,--prompt", options->prompts,
                   "Prompt, text with [MASK], or text to classify; may be repeated (input.prompt)")
      ->option_text("TEXT")
      ->allow_extra_args(false);
  command
      ->add_option(
          "-f,--file", options->file,
          "Prompts of a .txt (one a line) or .jsonl file; - is standard input (input.file)")
      ->option_text("FILE");
  command->add_option("--question", options->question, "Question about --context (input.question)")
      ->option_text("TEXT");
  command
      ->add_option("--context", options->context,
                   "Passage that holds the answer; @FILE reads it (input.context)")
      ->option_text("TEXT");
  command
      ->add_option("-o,--output", options->output,
                   "JSONL file for the answers; goes on after an interruption (output.file)")
      ->option_text("FILE");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N (compute.device)")
      ->option_text("DEVICE");
  command->add_option("--precision", options->precision, "auto, fp32 or bf16 (compute.precision)")
      ->option_text("NAME");
  const std::string group = "Generation (section generation)";
  command
      ->add_option("-n,--max-new-tokens", options->max_new_tokens,
                   "Most tokens after the prompt (max_new_tokens)")
      ->option_text("N")
      ->group(group);
  command
      ->add_option("--max-length", options->max_length, "Most tokens with the prompt (max_length)")
      ->option_text("N")
      ->group(group);
  command
      ->add_option("--temperature", options->temperature,
                   "Draw at this temperature; 0: the best token (temperature)")
      ->option_text("X")
      ->group(group);
  command->add_option("--top-k", options->top_k, "Draw among the k best (top_k)")
      ->option_text("K")
      ->group(group);
  command->add_option("--top-p", options->top_p, "Draw among the fewest that reach p (top_p)")
      ->option_text("P")
      ->group(group);
  command->add_option("--seed", options->seed, "Seed of the draws (seed)")
      ->option_text("N")
      ->group(group);
  command->add_option("--samples", options->samples, "Texts per prompt (num_return_sequences)")
      ->option_text("N")
      ->group(group);
  command->add_option("--stop", options->stop, "String that ends a text; may be repeated (stop)")
      ->option_text("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  command->add_flag("--greedy", options->greedy, "The best token always (do_sample false)")
      ->group(group);
  command
      ->add_flag("--raw", options->raw,
                 "Prompts as they are, without the template of the model's fine-tuning")
      ->group(group);
  const std::string talk = "Conversations (section chat)";
  command
      ->add_flag("--chat", options->chat,
                 "Prompts are messages; without any, a conversation line by line (/reset, /quit)")
      ->group(talk);
  command
      ->add_option("--chat-template", options->chat_template,
                   "chatml, llama3, llama2, alpaca, vicuna, zephyr, gemma, plain or a Jinja file "
                   "(template)")
      ->option_text("NAME|FILE")
      ->group(talk);
  command->add_option("--system", options->system, "System message (system)")
      ->option_text("TEXT")
      ->group(talk);
  command->add_option("--top", options->top, "Words shown for each mask (top)")
      ->option_text("N")
      ->group(group);
  command->callback([options, context] {
    context.action = [options, context] { return run_generate(context.common, *options); };
  });
}

}  // namespace llmctl
