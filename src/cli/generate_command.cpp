#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/output.h"
#include "base/terminal.h"
#include "base/utf8.h"
#include "cli/chat_history.h"
#include "cli/commands.h"
#include "cli/line_reader.h"
#include "report/table.h"
#include "runs/chat.h"
#include "runs/generation.h"

namespace llmctl {

namespace {

struct GenerateOptions {
  ConfigOptions config;
  std::string model, file, question, context, output, device, precision, quantize;
  std::vector<std::string> prompts, stop, choices, adapters;
  std::string regex, json_schema, grammar;
  std::optional<std::int64_t> max_new_tokens, max_length, samples, top, seed, top_k;
  std::optional<double> temperature, top_p, length_penalty;
  std::optional<std::int64_t> beams, prompt_lookup;
  std::vector<std::string> force_words;
  std::string prefix;
  std::string chat_template, system, too_long, to;
  std::optional<std::int64_t> logprobs;
  bool raw = false, greedy = false, chat = false, overwrite = false, echo = false, stream = false,
       deterministic = false, no_history = false, document = false, alignments = false;
};

/// Lines from standard input, answers to standard output.
int converse(const CommonOptions& common, const JsonDocument& document, bool keep_history) {
  LineReader reader;
  ChatHistory history(keep_history && reader.on_terminal() ? ChatHistory::default_file() : "");
  for (const std::string& entry : history.entries()) reader.remember(entry);
  std::string shown;
  ChatConsole console;
  console.read = [&](bool goes_on) -> std::optional<ChatLine> {
    const auto line = reader.read(goes_on ? "... " : "> ", goes_on);
    if (!line) return std::nullopt;
    return ChatLine{line->text, line->discarded};
  };
  console.remember = [&](const std::string& text) {
    reader.remember(text);
    history.add(text);
  };
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

/// Line breaks as \n and backslashes as \\, so that a line of output is an answer.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '\\') line += '\\';
    line += c == '\n' ? 'n' : c;
  }
  return escape_control(line);
}

struct PrinterOptions {
  bool json = false, from_file = false, stream = false;
  bool pieces = false;  ///< texts are shown as they grow
};

/// Answers on standard output. For people: the text of prompts as it is, as it grows; of a file's
/// a line each. With --json: an object, or of several prompts or a file a list, record by record;
/// where they are streamed a line for each piece and each record.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(const PrinterOptions& options)
      : json_(options.json),
        from_file_(options.from_file),
        stream_(options.stream),
        pieces_(options.pieces) {}

  AnswerSink sink() {
    AnswerSink sink;
    if (pieces_) sink.text = [this](const AnswerPiece& piece) { add_piece(piece); };
    sink.answer = [this](const Json& record, const std::string& text) {
      json_ ? add_record(record) : add_text(record, text);
    };
    return sink;
  }

  void finish() {
    if (!json_ || stream_ || count_ == 0) return;
    // Whether prompts are one or several is known at the end.
    if (!from_file_ && count_ == 1) return write_stdout(dump_json(first_, 2) + "\n");
    write_stdout("\n]\n");
  }

 private:
  void add_piece(const AnswerPiece& piece) {
    streamed_ = true;
    if (json_) {
      if (piece.text.empty()) return;
      const Json line = {{"input", piece.input}, {"sample", piece.sample}, {"piece", piece.text}};
      return write_stdout(dump_json(line) + "\n");
    }
    write_stdout((from_file_ ? one_line(piece.text) : escape_control(piece.text)) +
                 (piece.last ? "\n" : ""));
  }

  void add_record(const Json& record) {
    if (stream_) return write_stdout(dump_json(record) + "\n");
    ++count_;
    if (!from_file_ && count_ == 1) {
      first_ = record;
      return;
    }
    if (!from_file_ && count_ == 2) write_stdout("[\n" + indented(first_));
    write_stdout((count_ == 1 ? "[\n" : ",\n") + indented(record));
  }

  /// As an element of a list: of "[\n  {…}\n]" what is between the brackets.
  static std::string indented(const Json& record) {
    const std::string list = dump_json(Json::array({record}), 2);
    return list.substr(2, list.size() - 4);
  }

  void add_text(const Json& record, const std::string& text) {
    if (streamed_) return;
    if (!record.contains("samples")) return write_line(record, text);
    for (const Json& sample : record["samples"]) {
      const Json& written = sample["generated_text"];  // null of a prompt that was left out
      write_line(sample, written.is_string() ? written.get<std::string>() : "");
    }
  }

  /// An answer and, behind a tab, its alignment as Pharaoh's programs write it.
  void write_line(const Json& answer, const std::string& text) {
    std::string line = from_file_ ? one_line(text) : escape_control(text);
    if (answer.contains("alignment")) {
      const char* before = "\t";
      for (const Json& link : answer["alignment"]) {
        line += concat(before, link[0].get<std::int64_t>(), "-", link[1].get<std::int64_t>());
        before = " ";
      }
      if (answer["alignment"].empty()) line += before;
    }
    write_stdout(line + "\n");
  }

  const bool json_, from_file_, stream_, pieces_;
  bool streamed_ = false;  // what is written is there already
  std::size_t count_ = 0;
  Json first_;
};

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
  const auto set_number = [&](const char* key, const auto& value) {
    if (value) config.sets.push_back(concat(key, "=", *value));
  };
  if (!options.model.empty()) set_string(config, "model.init_from", options.model);
  if (!options.prompts.empty())
    config.sets.push_back("input.prompt=" + Json(options.prompts).dump());
  if (!options.file.empty()) set_string(config, "input.file", options.file);
  if (!options.question.empty()) set_string(config, "input.question", options.question);
  if (!options.context.empty()) set_string(config, "input.context", options.context);
  if (!options.to.empty()) set_string(config, "input.to", options.to);
  if (options.document) config.sets.push_back("input.document=true");
  if (!options.output.empty()) set_string(config, "output.file", options.output);
  if (!options.adapters.empty()) config.sets.push_back("adapter=" + Json(options.adapters).dump());
  if (!options.device.empty()) set_string(config, "compute.device", options.device);
  if (!options.precision.empty()) set_string(config, "compute.precision", options.precision);
  if (!options.quantize.empty()) set_string(config, "compute.quantize", options.quantize);
  if (common.threads > 0) config.sets.push_back(concat("compute.threads=", common.threads));
  if (options.deterministic) config.sets.push_back("compute.deterministic=true");
  set_number("generation.max_new_tokens", options.max_new_tokens);
  set_number("generation.max_length", options.max_length);
  set_number("generation.num_return_sequences", options.samples);
  set_number("generation.temperature", options.temperature);
  set_number("generation.top_k", options.top_k);
  set_number("generation.top_p", options.top_p);
  set_number("generation.seed", options.seed);
  set_number("generation.num_beams", options.beams);
  set_number("generation.length_penalty", options.length_penalty);
  set_number("generation.prompt_lookup_num_tokens", options.prompt_lookup);
  if (!options.prefix.empty()) set_string(config, "generation.prefix", options.prefix);
  if (!options.force_words.empty())
    config.sets.push_back("generation.force_words=" + Json(options.force_words).dump());
  set_number("generation.logprobs", options.logprobs);
  if (options.alignments) config.sets.push_back("generation.alignments=true");
  if (options.echo) config.sets.push_back("generation.echo=true");
  set_number("top", options.top);
  if (!options.too_long.empty()) set_string(config, "generation.too_long", options.too_long);
  if (!options.stop.empty()) config.sets.push_back("generation.stop=" + Json(options.stop).dump());
  if (!options.choices.empty())
    config.sets.push_back("generation.choices=" + Json(options.choices).dump());
  if (!options.regex.empty()) set_string(config, "generation.regex", options.regex);
  if (!options.json_schema.empty())
    set_string(config, "generation.json_schema", "@" + options.json_schema);
  if (!options.grammar.empty()) set_string(config, "generation.grammar", "@" + options.grammar);
  if (options.greedy) {
    config.sets.push_back("generation.do_sample=false");
    config.sets.push_back("generation.num_beams=1");
  }
  if (!options.chat_template.empty()) set_string(config, "chat.template", options.chat_template);
  if (!options.system.empty()) set_string(config, "chat.system", options.system);
  const JsonDocument document = load_document(config, "generate");
  const GenerationFlags flags{
      .raw = options.raw, .chat = options.chat, .overwrite = options.overwrite};
  const bool has_input = document.value.contains("input") &&
                         std::any_of(document.value["input"].begin(), document.value["input"].end(),
                                     [](const Json& value) { return !value.empty(); });
  const bool conversation = options.chat && !has_input;
  if (config.dry_run) {
    const auto plan = conversation ? plan_chat(document) : plan_generation(document, flags);
    Json json = Json::object();
    for (const auto& [name, value] : plan.facts) json[name] = value;
    if (!plan.notes.empty()) json["notes"] = plan.notes;
    print_result(common, json, render_facts(STDOUT_FILENO, "plan of generate", plan.facts));
    return 0;
  }
  if (conversation) return converse(common, document, !options.no_history);
  const bool from_file =
      document.value.contains("input") && document.value["input"].contains("file");
  const bool to_file =
      document.value.contains("output") && !document.value["output"].value("file", "").empty();
  require(!options.stream || !to_file, ErrorCode::kUsage,
          "--stream shows answers on standard output as they grow, --output writes whole ones");
  if (options.logprobs && !common.json && !to_file)
    log_warning("--logprobs shows in records alone: add --json or -o FILE");
  const bool aligned = document.value.contains("generation") &&
                       document.value["generation"].value("alignments", false);
  require(
      !aligned || !options.stream || common.json, ErrorCode::kUsage,
      "--stream shows texts as they grow, --alignments what is known of whole ones; add --json");
  // A document is one text, printed as it is.
  const bool as_document =
      document.value.contains("input") && document.value["input"].value("document", false);
  if (aligned && as_document && !common.json && !to_file)
    log_warning("of a document --alignments shows in records alone: add --json or -o FILE");
  const bool lines = from_file && !as_document;
  AnswerPrinter printer(
      {.json = common.json,
       .from_file = lines,
       .stream = options.stream,
       .pieces = options.stream || (!common.json && !lines && (!aligned || as_document))});
  const GenerationReport report = run_generation(document, flags, printer.sink());
  printer.finish();
  if (report.file.empty() || is_standard_output(report.file)) return report.exit_status;
  const std::string before =
      report.done_before > 0 ? concat(" (", report.done_before, " from before)") : "";
  Json json = {{"file", report.file.string()}, {"answers", report.done},
               {"inputs", report.count},       {"done_before", report.done_before},
               {"tokens", report.tokens},      {"seconds", report.seconds}};
  if (!report.notes.empty()) json["notes"] = report.notes;
  print_result(common, json,
               render_facts(STDOUT_FILENO, "generate: " + report.file.string(),
                            {{"answers", concat(report.done, " of ", report.count, before)},
                             {"tokens", format_count(static_cast<double>(report.tokens))},
                             {"time", format_duration(report.seconds)}}));
  return report.exit_status;
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
      ->add_option("--to", options->to,
                   "Language to translate to, of a model for several (input.to)")
      ->option_text("LANGUAGE");
  command->add_flag(
      "--document", options->document,
      "Translate a text, or a file as a whole, sentence by sentence; line breaks stay "
      "(input.document)");
  command
      ->add_option("-o,--output", options->output,
                   "JSONL file for the answers; goes on after an interruption; - is standard "
                   "output (output.file)")
      ->option_text("FILE");
  command
      ->add_option(
          "--adapter", options->adapters,
          "PEFT adapter beside the model's weights; may be repeated: they add up (adapter)")
      ->option_text("DIR[=SCALE]")
      ->allow_extra_args(false);
  command->add_flag("--overwrite", options->overwrite, "Replace a file of other answers");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N (compute.device)")
      ->option_text("DEVICE");
  command->add_option("--precision", options->precision, "auto, fp32 or bf16 (compute.precision)")
      ->option_text("NAME");
  command->add_flag("--deterministic", options->deterministic,
                    "Answers are the same to the last bit whatever shares their batch "
                    "(compute.deterministic)");
  command
      ->add_option("--quantize", options->quantize,
                   "Weights as int8 or int4 integers (compute.quantize)")
      ->option_text("NAME")
      ->check(one_of({"none", "int8", "int4"}));
  const std::string group = "Generation (section generation)";
  command
      ->add_option("-n,--max-new-tokens", options->max_new_tokens,
                   "Most tokens after the prompt (max_new_tokens)")
      ->option_text("N")
      ->check(between(1, 10'000'000))
      ->group(group);
  command
      ->add_option("--max-length", options->max_length, "Most tokens with the prompt (max_length)")
      ->option_text("N")
      ->check(between(1, 10'000'000))
      ->group(group);
  command
      ->add_option("--temperature", options->temperature,
                   "Draw at this temperature; 0: the best token (temperature)")
      ->option_text("X")
      ->check(between(0.0, 100.0))
      ->group(group);
  command->add_option("--top-k", options->top_k, "Draw among the k best (top_k)")
      ->option_text("K")
      ->check(between(0, 10'000'000))
      ->group(group);
  command->add_option("--top-p", options->top_p, "Draw among the fewest that reach p (top_p)")
      ->option_text("P")
      ->check(between(0.0, 1.0))
      ->group(group);
  command->add_option("--seed", options->seed, "Seed of the draws (seed)")
      ->option_text("N")
      ->check(between(0, 0x1p53))
      ->group(group);
  command->add_option("--samples", options->samples, "Texts per prompt (num_return_sequences)")
      ->option_text("N")
      ->check(between(1, 10'000))
      ->group(group);
  command->add_option("--stop", options->stop, "String that ends a text; may be repeated (stop)")
      ->option_text("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  command
      ->add_option("--choice", options->choices,
                   "The text is this, or another choice; may be repeated (choices)")
      ->option_text("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  command
      ->add_option("--regex", options->regex,
                   "The text as a whole matches this regular expression (regex)")
      ->option_text("EXPRESSION")
      ->group(group);
  command
      ->add_option("--json-schema", options->json_schema,
                   "The text is JSON that satisfies the JSON Schema of a file (json_schema)")
      ->option_text("FILE")
      ->group(group);
  command
      ->add_option("--grammar", options->grammar,
                   "The text follows the grammar of a file, in llama.cpp's GBNF (grammar)")
      ->option_text("FILE")
      ->group(group);
  command
      ->add_option("--too-long", options->too_long,
                   "A prompt that leaves no room for an answer: error (before any work), truncate "
                   "(keeps its end; of a conversation the system message and the newest turns) or "
                   "skip (too_long)")
      ->option_text("HOW")
      ->check(one_of({"error", "truncate", "skip"}))
      ->group(group);
  command
      ->add_option("--logprobs", options->logprobs,
                   "Log-probabilities in records: of each token, and of the N likeliest (logprobs)")
      ->option_text("N")
      ->check(between(0, 1000))
      ->group(group);
  command
      ->add_flag("--alignments", options->alignments,
                 "Translations: behind each, after a tab, where its tokens come from, as "
                 "source-target places from 0 (alignments)")
      ->group(group);
  command->add_flag("--echo", options->echo, "The prompt before the text that continues it (echo)")
      ->group(group);
  command
      ->add_flag("--stream", options->stream,
                 "Answers as they grow, one after another, in whole characters (of prompts always; "
                 "with --json a line for each piece and for each record)")
      ->group(group);
  CLI::Option* const greedy = command->add_flag(
      "--greedy", options->greedy, "The best token always (do_sample false, num_beams 1)");
  greedy->group(group);
  command
      ->add_option("--beams", options->beams,
                   "Beam search with so many; --samples gives as many of the best (num_beams)")
      ->option_text("N")
      ->check(between(1, 1000))
      ->excludes(greedy)
      ->group(group);
  command
      ->add_option("--length-penalty", options->length_penalty,
                   "Of beam search: above 0 longer texts, below shorter ones (length_penalty)")
      ->option_text("X")
      ->check(between(-10.0, 10.0))
      ->group(group);
  command->add_option("--prefix", options->prefix, "What every answer begins with (prefix)")
      ->option_text("TEXT")
      ->group(group);
  command
      ->add_option("--force-word", options->force_words,
                   "String that every text contains; may be repeated, better with --beams "
                   "(force_words)")
      ->option_text("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  command
      ->add_option("--prompt-lookup", options->prompt_lookup,
                   "Tokens guessed per step from the text so far: the same text, sooner where it "
                   "repeats itself (prompt_lookup_num_tokens)")
      ->option_text("N")
      ->check(between(0, 1000))
      ->group(group);
  command
      ->add_flag("--raw", options->raw,
                 "Prompts as they are, without the template of the model's fine-tuning")
      ->group(group);
  const std::string talk = "Conversations (section chat)";
  command
      ->add_flag("--chat", options->chat,
                 "Prompts are messages; without any, a conversation line by line (/help)")
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
  command
      ->add_flag("--no-history", options->no_history,
                 "What is typed is not kept for later conversations (else in "
                 "~/.local/state/llmctl/chat_history)")
      ->group(talk);
  command->add_option("--top", options->top, "Words shown for each mask (top)")
      ->option_text("N")
      ->check(between(1, 1000))
      ->group(group);
  command->callback([options, context] {
    context.action = [options, context] { return run_generate(context.common, *options); };
  });
}

}  // namespace llmctl
