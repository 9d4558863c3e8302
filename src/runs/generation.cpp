#include "runs/generation.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/in_order.h"
#include "base/log.h"
#include "base/output.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "io/batch_file.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "models/lora.h"
#include "runs/resolve.h"
#include "tasks/adapter_set.h"
#include "tasks/task.h"
#include "tasks/text_answers.h"
#include "text/unicode.h"

namespace llmctl {

namespace {

void check_utf8(const std::string& text, const std::string& what) {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, what, ": invalid UTF-8 at byte ", *bad,
         "; convert it first, for example with iconv -f GB18030 -t UTF-8");
  }
}

std::vector<std::string> standard_input_lines() {
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.ends_with('\r')) line.pop_back();
    check_utf8(line, concat("standard input, line ", lines.size() + 1));
    lines.push_back(std::move(line));
  }
  return lines;
}

/// Whether lines without a file's name are JSON Lines.
bool are_json_lines(const std::vector<std::string>& lines) {
  const auto first = std::find_if_not(lines.begin(), lines.end(), is_blank);
  return first != lines.end() && is_json_object(*first);
}

/// The records of lines that are together a JSON array of objects, as `jq` and `json.dump` write
/// them; empty where they are no such array. Where lines are inputs (not `whole`), kData for other
/// JSON over several lines, which would be answered line by line.
std::vector<Json> json_array(const std::vector<std::string>& lines, const std::string& name,
                             bool whole) {
  const auto first = std::find_if_not(lines.begin(), lines.end(), is_blank);
  if (first == lines.end()) return {};
  const std::string_view begin = trim(*first);
  if (begin.starts_with('[')) {
    const std::string text = join(lines, "\n");
    try {
      const Json array = parse_json(text, name, {.max_bytes = text.size()});
      if (std::all_of(array.begin(), array.end(), [](const Json& one) { return one.is_object(); }))
        return array;
    } catch (const Error&) {  // a text that begins with a bracket
    }
  }
  const bool alone = std::find_if_not(first + 1, lines.end(), is_blank) == lines.end();
  require(whole || alone || (begin != "[" && begin != "{"), ErrorCode::kData, name, ":",
          first - lines.begin() + 1,
          ": JSON over several lines; expected a record a line (jq -c . writes them so), or an "
          "array of records");
  return {};
}

/// Whether a file's ending may be the code of a language, as in "test.en" and "test.pt-BR".
bool names_language(const std::string& extension) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return extension.size() >= 3 && is_letter(extension[1]) && is_letter(extension[2]) &&
         (extension.size() == 3 || extension[3] == '-' || extension[3] == '_');
}

/// Whether a file holds lines of text, or with `whole` a text; else it holds records.
bool holds_text(const std::string& file, bool whole) {
  const std::string extension = text_extension(file);
  if (extension == ".txt") return true;
  const std::string format = text_format(file);
  if (extension.empty()) return format != "jsonl" && format != "json";
  return format == "text" && (whole || names_language(extension));
}

std::vector<AnswerInput> file_inputs(const std::string& file, bool whole,
                                     const Responder& responder) {
  std::vector<AnswerInput> inputs;
  const std::string name = file == "-" ? "standard input" : file;
  std::size_t blank = 0;
  std::string text;  // with `whole` all lines, each with its line break
  const auto add_line = [&](std::uint64_t number, std::string_view line) {
    if (whole) {
      text.append(line) += '\n';
    } else if (trim(line).empty()) {
      ++blank;
    } else {
      inputs.push_back({responder.input_of(std::string(line)), concat(name, ":", number)});
    }
    return true;
  };
  const auto add_record = [&](std::uint64_t number, const Json& record) {
    inputs.push_back({record, concat(name, ":", number)});
    return true;
  };
  if (file == "-") {
    std::vector<std::string> lines = standard_input_lines();
    const bool records = are_json_lines(lines);
    const std::vector<Json> elements = json_array(lines, name, whole);
    for (std::size_t i = 0; i < elements.size(); ++i)
      inputs.push_back({elements[i], concat(name, ": element ", i + 1)});
    if (!elements.empty()) lines.clear();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!records) {
        add_line(i + 1, lines[i]);
      } else if (!is_blank(lines[i])) {
        add_record(i + 1, record_of_line(lines[i], concat(name, ":", i + 1)));
      }
    }
  } else if (holds_text(file, whole)) {
    for_each_text_line(file, add_line);
  } else {
    for_each_record(file, add_record);
  }
  if (!text.empty()) {
    while (text.ends_with('\n')) text.pop_back();
    require(!trim(text).empty(), ErrorCode::kData, name, ": holds no text");
    return {{responder.input_of(text), name}};
  }
  require(!inputs.empty(), ErrorCode::kData, name, ": holds no prompt");
  if (blank > 0)
    log_warning(name, ": ", blank, blank == 1 ? " blank line is" : " blank lines are",
                " no prompt");
  return inputs;
}

std::string context_text(const std::string& given) {
  if (!given.starts_with("@")) return given;
  const fs::path file = expand_home(given.substr(1));
  std::string text = read_file(file);
  const std::string what = no_text_of(text);
  require(what.empty(), ErrorCode::kData, file, ": the file is ", what);
  const auto bad = find_invalid_utf8(text);
  require(!bad, ErrorCode::kData, file, ": invalid UTF-8 at byte ", bad.value_or(0) + 1, "; ",
          remedy_of(text));
  return text;
}

void check_one_input(const GenerateConfig& config) {
  const int given =
      !config.input.prompt.empty() + !config.input.file.empty() + !config.input.question.empty();
  require(given == 1, ErrorCode::kUsage,
          given == 0 ? "nothing to answer: use -p TEXT, -f FILE, or --question TEXT --context TEXT"
                     : "give one of prompts, a file and a question, not several");
  require(config.input.question.empty() == config.input.context.empty(), ErrorCode::kUsage,
          "a question needs the passage that holds the answer: --question TEXT --context TEXT");
}

std::vector<AnswerInput> all_inputs(const GenerateConfig& config, const Responder& responder) {
  if (!config.input.file.empty())
    return file_inputs(config.input.file, config.input.document, responder);
  if (!config.input.question.empty()) {
    return {{{{"question", config.input.question}, {"context", context_text(config.input.context)}},
             "the question"}};
  }
  std::vector<AnswerInput> inputs;
  for (const std::string& prompt : config.input.prompt) {
    const std::string place = concat("prompt ", inputs.size() + 1);
    check_utf8(prompt, place);
    inputs.push_back({responder.input_of(prompt), place});
  }
  return inputs;
}

}  // namespace

GenerateConfig read_generate_config(const JsonDocument& document) {
  GenerateConfig config;
  const ConfigNode root = root_node(document);
  read_config(root, config);
  if (root.has("generation")) read_generation(root.child("generation"));
  return config;
}

AnswerOptions answer_options(const GenerateConfig& config, const GenerationFlags& flags,
                             const LoadedModel& loaded, const Compute& compute) {
  AnswerOptions options;
  options.directory = loaded.directory;
  options.config_directory = config_directory(loaded.directory);
  options.sequence_length = config.input.sequence_length;
  options.context.compute = compute.between_layers();
  options.generation = config.generation;
  options.top = config.top;
  options.adapters = config.adapter;
  options.find_model = resolve_model_directory;
  options.raw = flags.raw;
  options.chat = flags.chat;
  options.chat_template = config.chat.chat_template;
  options.system = config.chat.system;
  options.to = config.input.to;
  options.document = config.input.document;
  return options;
}

/// One adapter for all prompts was trained in a form of its own, which its directory describes.
void take_form_of_adapter(const std::string& name, Model& model, AnswerOptions& options) {
  const fs::path directory = resolve_model_directory(adapter_directory(name).string());
  Json described = adapter_metadata(directory, "task_specific_params");
  if (!described.is_object()) return;
  model.config()["task_specific_params"] = std::move(described);
  options.directory = directory;
  if (!options.raw && options.chat_template.empty()) {
    log_info("prompts are in the form that ", directory.string(),
             " was trained with (--raw: as they are)");
  }
}

AnsweringModel load_answering(const GenerateConfig& config, const GenerationFlags& flags) {
  AnsweringModel answering;
  answering.compute = assemble_compute(config.compute);
  answering.loaded = load_for_use(config.model.init_from, answering.compute);
  require(config.adapter.empty() || answering.loaded.model->facts().causal, ErrorCode::kUsage,
          "adapter (--adapter): a ", answering.loaded.model->facts().architecture,
          " writes no text; give the adapter's directory as the model (-m)");
  AnswerOptions options = answer_options(config, flags, answering.loaded, answering.compute);
  if (config.adapter.size() == 1)
    take_form_of_adapter(config.adapter.front(), *answering.loaded.model, options);
  answering.responder =
      make_responder(*answering.loaded.model, answering.loaded.tokenizer, options);
  return answering;
}

std::string AnsweringModel::digest() const {
  // Hashing the weights would take as long as reading them; a trained model's files are new.
  std::string weights;
  const auto add = [&](const fs::directory_entry& entry) {
    const auto time = entry.last_write_time().time_since_epoch().count();
    weights += concat(entry.path().filename().string(), " ", entry.file_size(), " ", time, "\n");
  };
  if (fs::is_directory(loaded.directory)) {
    for (const auto& entry : fs::directory_iterator(loaded.directory)) {
      const auto ending = entry.path().extension();
      if (ending == ".safetensors" || ending == ".bin") add(entry);
    }
  } else {
    add(fs::directory_entry(loaded.directory));
  }
  const auto quantization = loaded.model->quantization();
  return sha256_hex(concat(fs::weakly_canonical(loaded.directory).string(), "\n", weights,
                           dump_json(loaded.model->config()), "\n", loaded.tokenizer->fingerprint(),
                           "\n", dump_json(responder->settings()), "\n", compute.dtype,
                           compute.deterministic, "\n",
                           quantization ? quantization_name(*quantization) : ""));
}

Json answered_record(const AnswerInput& input, const Answer& answer) {
  Json record = input.record;
  record.update(answer.record());
  return record;
}

namespace {

/// The record of the first of several answers bears the notes: they have no common head. A member
/// of that name that the input had stays.
void add_notes(Json& record, const std::vector<std::string>& notes) {
  if (!notes.empty() && !record.contains("notes")) record["notes"] = notes;
}

/// The progress of answers, with the tokens of a second.
class AnswerMeter {
 public:
  /// `progress` may be null; `done` answers are there.
  AnswerMeter(Progress* progress, GenerationReport& report, std::size_t done)
      : progress_(progress), report_(report), done_(done) {}

  AnswerEvents events(TextStream text) {
    return {std::move(text), [this](std::size_t, std::size_t tokens) {
              report_.tokens = tokens;
              show();
            }};
  }
  void answered() {
    ++done_;
    show();
  }

 private:
  using Clock = std::chrono::steady_clock;
  void show() {
    const Clock::time_point now = Clock::now();
    if (!progress_ || now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(report_.tokens) / std::max(seconds, 1e-3);
    progress_->update(done_, report_.tokens > 0 ? format_count(rate) + " tokens/s" : "");
  }

  Progress* progress_;
  GenerationReport& report_;
  std::size_t done_;
  Clock::time_point start_ = Clock::now(), shown_;
};

/// Gives the answers to the sink, in order, each as soon as those before it are there.
void hand_out(Responder& responder, const std::vector<AnswerInput>& inputs, bool file,
              const AnswerSink& sink, GenerationReport& report) {
  std::optional<Progress> progress;
  if (file) progress.emplace("generate", inputs.size()).update(0);
  AnswerMeter meter(progress ? &*progress : nullptr, report, 0);
  InOrder<std::unique_ptr<Answer>> in_order(0, [&](std::size_t i, std::unique_ptr<Answer> answer) {
    Json record = answered_record(inputs[i], *answer);
    if (i == 0) {
      // Of an only answer all notes are known by now.
      if (inputs.size() == 1) report.add_notes(responder.notes());
      add_notes(record, report.notes);
    }
    ++report.done;
    sink.answer(record, answer->text());
  });
  responder.answer_each(inputs, 0, meter.events(sink.text),
                        [&](std::size_t i, std::unique_ptr<Answer> answer) {
                          meter.answered();
                          in_order.give(i, std::move(answer));
                        });
}

/// Settings that decide nothing for this model and these inputs.
std::vector<std::string> idle_settings(const GenerateConfig& config, const GenerationFlags& flags,
                                       const LoadedModel& loaded,
                                       const std::vector<AnswerInput>& inputs) {
  std::vector<std::string> notes;
  const ModelFacts& facts = loaded.model->facts();
  if (!facts.causal && !config.generation.empty())
    notes.push_back(
        concat("generation has no effect: a ", facts.architecture, " generates no text"));
  if (config.compute.precision == "bf16" && loaded.model->quantization())
    notes.emplace_back("compute.precision has no effect: the model's matrices are integers");
  const bool talks = flags.chat || std::any_of(inputs.begin(), inputs.end(), [](const auto& input) {
                       return input.record.contains("messages");
                     });
  if (!config.chat.system.empty() && !talks)
    notes.emplace_back(
        "chat.system (--system) has no effect: prompts are messages with --chat only");
  return notes;
}

}  // namespace

void GenerationReport::add_notes(const std::vector<std::string>& some) {
  for (const std::string& note : some) warn_once(notes, note);
}

namespace {

/// All that comes before the first answer.
struct Preparation {
  GenerateConfig config;
  AnsweringModel answering;
  std::vector<AnswerInput> inputs;
  GenerationReport report;

  /// The inputs without their places.
  std::vector<Json> records() const {
    std::vector<Json> records;
    for (const AnswerInput& input : inputs) records.push_back(input.record);
    return records;
  }
  bool is_read_along() const {
    return is_standard_output(config.output.file) || is_special_file(config.output.file);
  }
};

/// Refuses what cannot be answered or written. Without `read_standard_input` prompts of it are not
/// looked at.
Preparation prepare(const JsonDocument& document, const GenerationFlags& flags,
                    bool read_standard_input) {
  Preparation made;
  GenerateConfig& config = made.config = read_generate_config(document);
  check_one_input(config);
  made.answering = load_answering(config, flags);
  const Responder& responder = *made.answering.responder;
  made.report.add_notes(responder.notes());
  if (config.input.file != "-" || read_standard_input) made.inputs = all_inputs(config, responder);
  made.report.add_notes(idle_settings(config, flags, made.answering.loaded, made.inputs));
  made.report.count = made.inputs.size();
  if (!config.output.file.empty()) {
    std::vector<std::filesystem::path> files;
    if (!config.input.file.empty() && config.input.file != "-")
      files = expand_paths({config.input.file});
    // What is there already may be this job's own, which answer_batch_file() knows.
    check_output_file(config.output.file, true, files);
  }
  responder.check(made.inputs);
  return made;
}

}  // namespace

GenerationReport run_generation(const JsonDocument& document, const GenerationFlags& flags,
                                const AnswerSink& sink) {
  const auto start = std::chrono::steady_clock::now();
  Preparation made = prepare(document, flags, true);
  const GenerateConfig& config = made.config;
  const AnsweringModel& answering = made.answering;
  const std::vector<AnswerInput>& inputs = made.inputs;
  GenerationReport& report = made.report;
  Responder& responder = *answering.responder;
  if (config.output.file.empty()) {
    hand_out(responder, inputs, !config.input.file.empty(), sink, report);
  } else {
    report.file = config.output.file;
    const auto answer = [&](std::size_t first, std::span<const Json> some, Progress& progress,
                            const GiveLine& give) {
      AnswerMeter meter(&progress, report, first);
      responder.answer_each(std::span(inputs).subspan(first, some.size()), first, meter.events({}),
                            [&](std::size_t i, std::unique_ptr<Answer> done) {
                              Json line = answered_record(inputs[first + i], *done);
                              // A file has its report beside it; who reads along has nothing but
                              // the lines.
                              if (made.is_read_along() && first + i == 0)
                                add_notes(line, report.notes);
                              meter.answered();
                              give(first + i, std::move(line));
                            });
    };
    const auto outcome = answer_batch_file(made.records(), report.file, answering.digest(),
                                           static_cast<std::size_t>(responder.group_size()), answer,
                                           flags.overwrite);
    report.done = outcome.done;
    report.done_before = outcome.resumed;
    report.exit_status = outcome.exit_status;
  }
  report.add_notes(responder.notes());
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::move(report);
}

std::vector<std::pair<std::string, std::string>> plan_facts(const AnsweringModel& answering,
                                                            const std::string& input,
                                                            const std::string& output) {
  const Json settings = answering.responder->settings();
  return {{"model", answering.loaded.directory.string()},
          {"tokenizer", answering.loaded.tokenizer->description()},
          {"input", input},
          {"output", output},
          {settings.contains("generation") ? "generation" : "settings",
           dump_json(settings.value("generation", settings))}};
}

GenerationPlan plan_generation(const JsonDocument& document, const GenerationFlags& flags) {
  const Preparation made = prepare(document, flags, false);
  const GenerateConfig& config = made.config;
  if (!config.output.file.empty() && config.input.file != "-") {
    check_batch_file(made.records(), config.output.file, made.answering.digest(),
                     static_cast<std::size_t>(made.answering.responder->group_size()),
                     flags.overwrite);
  }
  const std::string input = !config.input.file.empty() ? config.input.file
                            : !config.input.question.empty()
                                ? "a question"
                                : concat(config.input.prompt.size(), " prompts");
  const std::string output = config.output.file.empty() ? "standard output" : config.output.file;
  return {plan_facts(made.answering, input, output), made.report.notes};
}

}  // namespace llmctl
