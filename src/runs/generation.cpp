#include "runs/generation.h"

#include <chrono>
#include <iostream>

#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "io/batch_file.h"
#include "io/text_source.h"
#include "models/lora.h"
#include "prompt/fill_masks.h"
#include "prompt/generate.h"

namespace llmctl {

namespace {

/// The model's generation_config.json (and config.json's eos_token_id), with the user's keys over
/// it.
GenerationConfig generation_config(const fs::path& directory, const Json& config, const Json& own) {
  Json merged = generation_defaults(config_directory(directory));
  if (!merged.contains("eos_token_id") && config.contains("eos_token_id")) {
    const Json& eos = config["eos_token_id"];
    if (eos.is_number_integer()) merged["eos_token_id"] = Json::array({eos});
    if (eos.is_array()) merged["eos_token_id"] = eos;
  }
  // A directory's file may hold a length for the library's own use; the user's length replaces it.
  if (own.contains("max_new_tokens") || own.contains("max_length")) {
    merged.erase("max_new_tokens");
    merged.erase("max_length");
  }
  // Asking for a way of drawing means asking to draw, temperature 0 not to.
  const bool draws = own.contains("temperature") || own.contains("top_k") || own.contains("top_p");
  if (!own.contains("do_sample") && draws) merged["do_sample"] = true;
  for (const auto& [key, value] : own.items()) merged[key] = value;
  if (merged.contains("temperature") && merged["temperature"].is_number() &&
      merged["temperature"].get<double>() == 0) {
    merged["do_sample"] = false;
    merged.erase("temperature");
  }
  const JsonDocument document{merged, {}};
  GenerationConfig out;
  read_config(ConfigNode(&document.value, "generation", &document), out);
  return out;
}

const std::string& member(const Json& input, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (input.contains(name) && input[name].is_string())
      return input[name].get_ref<const std::string&>();
  }
  fail(ErrorCode::kData, "input ", dump_json(input), ": expected a member ", *names.begin(),
       " with a text");
}

void check_utf8(const std::string& text, const std::string& what) {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, what, ": invalid UTF-8 at byte ", *bad,
         "; convert it first, for example with iconv -f GB18030 -t UTF-8");
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// The object that a prompt's text becomes for a kind of model.
Json input_of(AnswerKind kind, const std::string& text) {
  return {{kind == AnswerKind::kText ? "prompt" : "text", text}};
}

std::vector<Json> file_inputs(const std::string& file, AnswerKind kind) {
  std::vector<Json> inputs;
  const auto add_line = [&](std::uint64_t number, std::string_view line) {
    if (line.empty()) return true;
    require(kind != AnswerKind::kSpan, ErrorCode::kData, file, ":", number,
            ": a line of text is no question; use .jsonl with question and context");
    inputs.push_back(input_of(kind, std::string(line)));
    return true;
  };
  if (file == "-") {
    std::string line;
    for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
      if (line.ends_with('\r')) line.pop_back();
      check_utf8(line, concat("standard input, line ", number));
      add_line(number, line);
    }
  } else if (text_extension(file) == ".txt" || text_extension(file).empty()) {
    for_each_text_line(file, add_line);
  } else {
    for_each_record(file, [&](std::uint64_t, const Json& record) {
      inputs.push_back(record);
      return true;
    });
  }
  require(!inputs.empty(), ErrorCode::kData, file, ": holds no prompt");
  return inputs;
}

std::string context_text(const std::string& given) {
  return given.starts_with("@") ? read_file(given.substr(1)) : given;
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

}  // namespace

Answerer::Answerer(const std::string& model, const Compute& compute, const AnswererOptions& options)
    : loaded_(load_for_use(model, compute)), compute_(compute), options_(options) {
  const ModelFacts& facts = loaded_.model->facts();
  const Json& config = loaded_.model->config();
  switch (facts.head) {
    case HeadKind::kCausalLm:
    case HeadKind::kSeq2SeqLm:
      kind_ = AnswerKind::kText;
      break;
    case HeadKind::kMaskedLm:
      kind_ = AnswerKind::kMasks;
      break;
    case HeadKind::kSpan:
      kind_ = AnswerKind::kSpan;
      break;
    case HeadKind::kSequenceClassification:
      kind_ = AnswerKind::kLabel;
      break;
    default:
      fail(ErrorCode::kUsage, loaded_.directory.string(), ": a ", facts.architecture,
           " gives no answers");
  }
  if (kind_ == AnswerKind::kText)
    generation_ = generation_config(loaded_.directory, config, options.generation);
  const bool chosen = !options.chat_template.empty();
  require(kind_ == AnswerKind::kText || (!options.chat && !chosen), ErrorCode::kUsage,
          loaded_.directory.string(), ": a ", facts.architecture, " holds no conversations");
  const std::string type = task_of(facts);
  const bool described = config.contains("task_specific_params") &&
                         config["task_specific_params"].is_object() &&
                         config["task_specific_params"].contains(type);
  if (kind_ == AnswerKind::kSpan || kind_ == AnswerKind::kLabel ||
      (kind_ == AnswerKind::kText && described && !options.raw && !chosen)) {
    Json section = described ? config["task_specific_params"][type] : Json::object();
    section["type"] = type;
    const JsonDocument document{section, {}};
    task_ = make_task(
        ConfigNode(&document.value, "task_specific_params." + type, &document, ErrorCode::kData),
        loaded_.tokenizer);
  }
  if (kind_ == AnswerKind::kText && !task_) choose_chat_template();
}

void Answerer::choose_chat_template() {
  const Tokenizer& tokenizer = *loaded_.tokenizer;
  if (options_.chat_template.empty()) {
    if (!options_.raw) chat_ = ChatTemplate::of_directory(loaded_.directory, tokenizer);
  } else {
    const auto name = [&](const std::optional<TokenId>& id) {
      return id ? tokenizer.piece(*id) : std::string();
    };
    const std::string bos = name(tokenizer.special().bos), eos = name(tokenizer.special().eos);
    const fs::path file = options_.chat_template;
    chat_ = fs::is_regular_file(file) ? ChatTemplate(read_file(file, 1u << 20), bos, eos)
                                      : ChatTemplate::builtin(file.string(), bos, eos);
  }
  if (!chat_) return;
  const ChatTemplate::TurnEnd end = chat_->turn_end(tokenizer);
  if (end.token) {
    generation_.eos_token_id = stop_ids_of(generation_, *loaded_.model, tokenizer);
    generation_.eos_token_id.push_back(*end.token);
  } else if (!end.text.empty()) {
    generation_.stop.push_back(end.text);
  }
}

std::vector<EncodedPrompt> Answerer::encode(std::span<const Json> inputs, std::size_t first) const {
  std::vector<EncodedPrompt> prompts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Json& input = inputs[i];
    const bool has_messages = input.contains("messages");
    if (!has_messages && !options_.chat) {
      const std::string& text = member(input, {"prompt", "text"});
      const auto encode_text =
          loaded_.model->facts().encoder_decoder ? encode_source : encode_prompt;
      prompts.push_back(encode_text(*loaded_.tokenizer, text, first + i + 1));
      continue;
    }
    require_conversations();
    ChatRequest request;
    request.add_generation_prompt = true;
    if (has_messages) {
      request.messages = input["messages"];
    } else {
      request.messages.push_back(
          {{"role", "user"}, {"content", member(input, {"prompt", "text"})}});
    }
    const bool opened = !request.messages.empty() && request.messages[0].is_object() &&
                        request.messages[0].value("role", Json()) == "system";
    if (!options_.system.empty() && !opened) {
      request.messages.insert(request.messages.begin(),
                              Json{{"role", "system"}, {"content", options_.system}});
    }
    if (input.contains("tools")) request.tools = input["tools"];
    prompts.push_back({chat_->render_ids(*loaded_.tokenizer, request), false});
  }
  return prompts;
}

void Answerer::require_conversations() const {
  require(task_ || chat_, ErrorCode::kUsage, loaded_.directory.string(),
          ": the model has no chat template; name one with --chat-template: a file, or one of ",
          joined(ChatTemplate::builtin_names()));
}

std::size_t Answerer::prompt_tokens(const Json& input) const {
  return encode(std::span(&input, 1), 0).front().ids.size();
}

std::size_t Answerer::prompt_limit() const {
  const auto positions = static_cast<std::size_t>(loaded_.model->facts().max_positions);
  const auto answer = static_cast<std::size_t>(generation_.max_new_tokens.value_or(64));
  return positions > 2 * answer ? positions - answer : positions / 2;
}

void Answerer::check(std::span<const Json> inputs) const {
  if (kind_ != AnswerKind::kText || task_) return;
  check_prompts(*loaded_.model, encode(inputs, 0), generation_);
}

std::string Answerer::digest() const {
  // Hashing the weights would take as long as reading them; a trained model's files are new.
  std::string weights;
  for (const auto& entry : fs::directory_iterator(loaded_.directory)) {
    if (entry.path().extension() != ".safetensors" && entry.path().extension() != ".bin") continue;
    const auto time = entry.last_write_time().time_since_epoch().count();
    weights += concat(entry.path().filename().string(), " ", entry.file_size(), " ", time, "\n");
  }
  return sha256_hex(
      concat(fs::weakly_canonical(loaded_.directory).string(), "\n", weights,
             dump_json(loaded_.model->config()), "\n", loaded_.tokenizer->fingerprint(), "\n",
             dump_json(config_to_json(generation_)), "\n", options_.top, " ",
             options_.sequence_length, " ", options_.raw, " ", options_.chat, " ", options_.system,
             "\n", chat_ ? chat_->source() : "", "\n", compute_.dtype));
}

std::vector<Json> Answerer::answer(std::span<const Json> inputs, std::size_t first,
                                   const std::function<void(const std::string&)>& on_text) {
  if (kind_ == AnswerKind::kMasks) return answer_masks(inputs);
  if (!task_) return answer_texts(inputs, first, on_text);
  PredictOptions predict;
  const auto limit = loaded_.model->facts().max_positions;
  predict.sequence_length =
      options_.sequence_length > 0 ? std::min(options_.sequence_length, limit) : limit;
  predict.batch_size = kind_ == AnswerKind::kText ? generation_.batch_size : 32;
  predict.context.compute = compute_.dtype;
  if (kind_ != AnswerKind::kText) {
    return task_->answer(*loaded_.model, std::vector<Json>(inputs.begin(), inputs.end()), predict);
  }
  // Samples are inputs of their own to the task.
  const auto samples = static_cast<std::size_t>(generation_.num_return_sequences);
  predict.generation = generation_;
  predict.first = first * samples;
  std::vector<Json> repeated;
  for (const Json& input : inputs) repeated.insert(repeated.end(), samples, input);
  std::vector<Json> answers = task_->answer(*loaded_.model, repeated, predict);
  if (samples == 1) return answers;
  std::vector<Json> grouped;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    grouped.push_back(inputs[i]);
    for (std::size_t s = 0; s < samples; ++s) {
      Json sample = std::move(answers[i * samples + s]);
      for (const auto& [key, value] : inputs[i].items()) sample.erase(key);
      grouped.back()["samples"].push_back(std::move(sample));
    }
  }
  return grouped;
}

std::vector<Json> Answerer::answer_texts(std::span<const Json> inputs, std::size_t first,
                                         const std::function<void(const std::string&)>& on_text) {
  const std::vector<EncodedPrompt> prompts = encode(inputs, first);
  Context context;
  context.compute = compute_.dtype;
  TextCallback stream;
  if (on_text) stream = [&](std::size_t, const std::string& text) { on_text(text); };
  const auto results = generate_texts(*loaded_.model, loaded_.tokenizer, prompts, generation_,
                                      context, stream, first);
  std::vector<Json> answers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Json answer = inputs[i];
    if (results[i].size() == 1) {
      answer.update(generated_json(results[i].front()));
    } else {
      answer["samples"] = Json::array();
      for (const auto& sample : results[i]) answer["samples"].push_back(generated_json(sample));
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::vector<Json> Answerer::answer_masks(std::span<const Json> inputs) {
  std::vector<std::string> texts;
  for (const Json& input : inputs) {
    texts.push_back(member(input, {"text", "prompt"}));
    check_utf8(texts.back(), "prompt");
  }
  Context context;
  context.compute = compute_.dtype;
  const auto results =
      fill_masks(*loaded_.model, loaded_.tokenizer, texts, options_.top, 32, context);
  std::vector<Json> answers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Json answer = inputs[i];
    answer["filled"] = results[i].filled;
    answer["masks"] = Json::array();
    for (const auto& choices : results[i].choices) {
      Json words = Json::array();
      for (const auto& choice : choices)
        words.push_back(Json{{"word", choice.word}, {"probability", choice.probability}});
      answer["masks"].push_back(words);
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

GenerationReport run_generation(const JsonDocument& document, const GenerationFlags& flags,
                                const std::function<void(const std::string&)>& on_text) {
  GenerateConfig config;
  read_config(root_node(document), config);
  check_one_input(config);
  const auto start = std::chrono::steady_clock::now();
  const Compute compute =
      assemble_compute(config.compute.device, config.compute.precision, config.compute.threads);
  Answerer answerer(config.model.init_from, compute,
                    {config.generation, config.top, config.input.sequence_length, flags.raw,
                     flags.chat, config.chat.chat_template, config.chat.system});
  GenerationReport report;
  report.kind = answerer.kind();
  std::vector<Json> inputs;
  if (!config.input.file.empty()) {
    inputs = file_inputs(config.input.file, report.kind);
  } else if (!config.input.question.empty()) {
    require(report.kind == AnswerKind::kSpan, ErrorCode::kUsage,
            answerer.loaded().directory.string(), ": a ",
            answerer.loaded().model->facts().architecture, " answers no questions about a passage");
    inputs.push_back(
        {{"question", config.input.question}, {"context", context_text(config.input.context)}});
  } else {
    require(report.kind != AnswerKind::kSpan, ErrorCode::kUsage,
            answerer.loaded().directory.string(),
            ": answers questions: use --question TEXT --context TEXT");
    for (const auto& prompt : config.input.prompt) {
      check_utf8(prompt, "prompt");
      inputs.push_back(input_of(report.kind, prompt));
    }
  }
  report.count = inputs.size();
  if (config.output.file.empty()) {
    report.answers = answerer.answer(inputs, 0, inputs.size() == 1 ? on_text : nullptr);
    report.done = inputs.size();
  } else {
    report.file = config.output.file;
    answerer.check(inputs);
    const auto chunk = static_cast<std::size_t>(answerer.generation().batch_size) * 4;
    const auto outcome = answer_batch_file(inputs, report.file, answerer.digest(), chunk,
                                           [&](std::size_t first, std::span<const Json> some) {
                                             return answerer.answer(some, first);
                                           });
    report.done = outcome.done;
    report.done_before = outcome.resumed;
    report.exit_status = outcome.exit_status;
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

std::vector<std::pair<std::string, std::string>> plan_generation(const JsonDocument& document) {
  GenerateConfig config;
  read_config(root_node(document), config);
  check_one_input(config);
  require(!config.model.init_from.empty(), ErrorCode::kUsage,
          "no model given: use -m DIR or the key model.init_from");
  const fs::path directory = resolve_model_directory(config.model.init_from);
  const Json model = load_json(config_directory(directory) / "config.json");
  const GenerationConfig generation = generation_config(directory, model, config.generation);
  const auto tokenizer = load_tokenizer_of(directory);
  if (!config.input.file.empty() && config.input.file != "-") expand_paths({config.input.file});
  return {
      {"model", directory.string()},
      {"tokenizer", tokenizer->description()},
      {"input", !config.input.file.empty()       ? config.input.file
                : !config.input.question.empty() ? "a question"
                                                 : concat(config.input.prompt.size(), " prompts")},
      {"output", config.output.file.empty() ? "standard output" : config.output.file},
      {"generation", dump_json(config_to_json(generation))}};
}

}  // namespace llmctl
