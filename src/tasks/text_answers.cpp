#include "tasks/text_answers.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "config/fields.h"
#include "tasks/answer_order.h"
#include "tasks/dialogues.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

class RawForm : public PromptForm {
 public:
  RawForm(std::shared_ptr<const Tokenizer> tokenizer, bool encoder_decoder)
      : tokenizer_(std::move(tokenizer)), encoder_decoder_(encoder_decoder) {}

  EncodedPrompt encode(const AnswerInput& input) const override {
    if (input.record.contains("messages"))
      input.fail(
          "the model has no chat template for messages; name one with --chat-template: a "
          "file, or one of " +
          join(ChatTemplate::builtin_names()));
    const std::string& prompt = prompt_of(input);
    return encoder_decoder_ ? encode_source(*tokenizer_, prompt, input.place)
                            : encode_prompt(*tokenizer_, prompt, input.place);
  }
  Json settings() const override { return "raw"; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool encoder_decoder_;
};

class ChatForm : public PromptForm {
 public:
  ChatForm(std::shared_ptr<const Tokenizer> tokenizer, ChatTemplate chat, std::string system,
           bool prompts_are_messages)
      : tokenizer_(std::move(tokenizer)),
        chat_(std::move(chat)),
        system_(std::move(system)),
        prompts_are_messages_(prompts_are_messages),
        end_(chat_.turn_end(*tokenizer_)) {}

  EncodedPrompt encode(const AnswerInput& input) const override {
    if (reads_on(input)) return encode_prompt(*tokenizer_, prompt_of(input), input.place);
    return {chat_.render_ids(*tokenizer_, request_of(input)), false, input.place};
  }
  FittedPrompt fit(const AnswerInput& input, std::size_t length) const override {
    if (reads_on(input)) return PromptForm::fit(input, length);
    return fitted_prompt(fit_chat_prompt(*tokenizer_, chat_, request_of(input), length), input,
                         length);
  }
  bool holds_conversations() const override { return true; }
  std::optional<TokenId> end_token() const override { return end_.token; }
  std::string end_text() const override { return end_.text; }
  Json settings() const override {
    return {{"template", chat_.source()},
            {"system", system_},
            {"prompts_are_messages", prompts_are_messages_}};
  }

 private:
  static bool is_conversation(const AnswerInput& input) {
    return input.record.is_object() &&
           (input.record.contains("messages") || input.record.contains("conversations"));
  }

  /// A prompt that is read as it is.
  bool reads_on(const AnswerInput& input) const {
    return !is_conversation(input) && !prompts_are_messages_;
  }

  ChatRequest request_of(const AnswerInput& input) const {
    Dialogue dialogue;
    if (is_conversation(input)) {
      dialogue = read_prompt_input(input, TextGenerationConfig());
    } else {
      dialogue.messages.push_back({{"role", "user"}, {"content", prompt_of(input)}});
      dialogue.turns.push_back({prompt_of(input), ""});
    }
    if (!system_.empty()) add_system_message(dialogue, system_);
    ChatRequest request;
    request.messages = dialogue.messages;
    request.tools = dialogue.tools;
    request.add_generation_prompt = true;
    if (const std::string what = chat_.overlooked(request); !what.empty())
      input.fail("the chat template does not write " + what);
    return request;
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatTemplate chat_;
  std::string system_;
  bool prompts_are_messages_;
  ChatTemplate::TurnEnd end_;
};

}  // namespace

FittedPrompt PromptForm::fit(const AnswerInput& input, std::size_t) const {
  return {encode(input), {}};
}

FittedPrompt fitted_prompt(std::optional<ChatPrompt> prompt, const AnswerInput& input,
                           std::size_t length) {
  if (!prompt) {
    input.fail(
        concat("the chat template's own marks, the system message and a word of the last turn "
               "have more tokens than the ",
               length, " that leave room for an answer"));
  }
  return {{std::move(prompt->ids), false, input.place}, prompt->cut};
}

GenerationFiles generation_files(const AnswerOptions& options, const Json& model_config,
                                 bool encoder_decoder, const Tokenizer& tokenizer) {
  GenerationSources sources;
  sources.directory = options.config_directory;
  sources.config = model_config;
  sources.encoder_decoder = encoder_decoder;
  sources.tokenizer_eos = tokenizer.target().special().eos;
  sources.vocab_size = tokenizer.target().vocab_size();
  return {std::move(sources)};
}

GenerationSettings generation_settings(const AnswerOptions& options, const Json& model_config,
                                       bool encoder_decoder, const Tokenizer& tokenizer) {
  return resolve_generation(generation_files(options, model_config, encoder_decoder, tokenizer),
                            options.generation);
}

Json TextAnswer::record() const {
  return samples_json(samples_);
}

std::string TextAnswer::text() const {
  std::string lines;
  for (const GeneratedText& sample : samples_) lines += (lines.empty() ? "" : "\n") + sample.text;
  return lines;
}

const std::string& prompt_of(const AnswerInput& input) {
  if (!input.record.is_object()) input.fail("expected an object with a prompt");
  for (const char* name : {"prompt", "text"}) {
    if (input.record.contains(name) && input.record[name].is_string())
      return input.record[name].get_ref<const std::string&>();
  }
  std::vector<std::string> members;
  std::string guess;
  for (const auto& [name, value] : input.record.items()) {
    members.push_back(name);
    const std::string meant = did_you_mean(name, {"prompt", "text", "messages"});
    if (guess.empty() && !meant.empty()) guess = concat("; '", name, "'", meant);
  }
  input.fail("expected a text 'prompt' (or 'text'; it has " + join(members) + ")" + guess);
}

std::unique_ptr<PromptForm> make_raw_form(std::shared_ptr<const Tokenizer> tokenizer,
                                          bool encoder_decoder) {
  return std::make_unique<RawForm>(std::move(tokenizer), encoder_decoder);
}

std::unique_ptr<PromptForm> make_chat_form(std::shared_ptr<const Tokenizer> tokenizer,
                                           ChatTemplate chat, const std::string& system,
                                           bool prompts_are_messages) {
  return std::make_unique<ChatForm>(std::move(tokenizer), std::move(chat), system,
                                    prompts_are_messages);
}

ChatTemplate named_chat_template(const std::string& name, const Tokenizer& tokenizer) {
  const auto piece = [&](const std::optional<TokenId>& id) {
    return id ? tokenizer.piece(*id) : std::string();
  };
  const std::string bos = piece(tokenizer.special().bos), eos = piece(tokenizer.special().eos);
  const std::filesystem::path file = name;
  return std::filesystem::is_regular_file(file) ? ChatTemplate(read_file(file, 1u << 20), bos, eos)
                                                : ChatTemplate::builtin(name, bos, eos);
}

std::unique_ptr<PromptForm> choose_form(const Model& model,
                                        std::shared_ptr<const Tokenizer> tokenizer,
                                        const AnswerOptions& options) {
  std::optional<ChatTemplate> chat;
  if (!options.chat_template.empty()) {
    chat = named_chat_template(options.chat_template, *tokenizer);
  } else if (!options.raw && !options.directory.empty()) {
    chat = ChatTemplate::of_directory(options.directory, *tokenizer);
  }
  if (chat) return make_chat_form(std::move(tokenizer), *chat, options.system, options.chat);
  require(!options.chat, ErrorCode::kUsage, options.directory.string(),
          ": the model has no chat template; name one with --chat-template: a file, or one of ",
          join(ChatTemplate::builtin_names()));
  return make_raw_form(std::move(tokenizer), model.facts().encoder_decoder);
}

TextResponder::TextResponder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                             std::unique_ptr<PromptForm> form, const AnswerOptions& options)
    : model_(model),
      tokenizer_(std::move(tokenizer)),
      form_(std::move(form)),
      files_(generation_files(options, model.config(), model.facts().encoder_decoder, *tokenizer_)),
      section_(options.generation),
      generation_(resolve(section_)),
      adapters_(model, options.config_directory, options.find_model),
      shared_adapters_(adapters_.choose(options.adapters)),
      sequence_length_(options.sequence_length),
      engine_(model, engine_options(*generation_, *tokenizer_), options.context) {}

TextResponder::Settings TextResponder::resolve(const Json& section) const {
  GenerationSettings settings = resolve_generation(files_, section);
  if (const auto end = form_->end_token()) settings.add_eos(*end);
  // The end of a constrained text is its grammar's: what ends a turn may be part of it.
  const std::string end = form_->end_text();
  if (!end.empty() && !settings.constraint) settings.stop.push_back(end);
  settings.constrain({tokenizer_, &tokenizer_->target()});
  return std::make_shared<const GenerationSettings>(std::move(settings));
}

/// Null where the input has none.
TextResponder::Settings TextResponder::own_settings(const AnswerInput& input) const {
  if (!input.record.contains("generation")) return nullptr;
  const Json& own = input.record["generation"];
  if (last_own_.second && last_own_.first == own) return last_own_.second;
  if (!own.is_object())
    input.fail(concat("generation: expected an object of settings, got ", own.type_name()));
  if (own.contains("batch_size"))
    input.fail("generation.batch_size: holds for all prompts, set it for the command");
  try {
    last_own_ = {own, resolve(with_own_members(section_, own))};
  } catch (const Error& error) {
    input.fail(error.what());
  }
  return last_own_.second;
}

std::vector<AdapterChoice> TextResponder::own_adapters(const AnswerInput& input) const {
  if (!input.record.contains("adapter")) return shared_adapters_;
  const Json& own = input.record["adapter"];
  if (own.is_null()) return {};
  const Json names = own.is_array() ? own : Json::array({own});
  if (!std::all_of(names.begin(), names.end(), [](const Json& name) { return name.is_string(); }))
    input.fail(concat("adapter: expected a directory or a list of them, got ", dump_json(own)));
  try {
    return adapters_.choose(names.get<std::vector<std::string>>());
  } catch (const Error& error) {
    input.fail(concat("adapter: ", error.what()));
  }
}

FittedPrompt TextResponder::encode(const AnswerInput& input) const {
  Settings own = own_settings(input);
  const GenerationSettings& settings = own ? *own : *generation_;
  EncodedPrompt prompt = form_->encode(input);
  const std::size_t room = prompt_room(settings);
  const bool fits = settings.too_long != TooLong::kTruncate || prompt.ids.size() <= room;
  FittedPrompt fitted = fits ? FittedPrompt{std::move(prompt), {}} : form_->fit(input, room);
  fitted.prompt.settings = std::move(own);
  fitted.prompt.adapters = own_adapters(input);
  return fitted;
}

std::size_t TextResponder::prompt_room(const GenerationSettings& settings) const {
  std::int64_t positions = model_.facts().max_positions;
  if (sequence_length_ > 0) positions = std::min(positions, sequence_length_);
  return static_cast<std::size_t>(settings.prompt_room(positions));
}

void TextResponder::check(std::span<const AnswerInput> inputs) const {
  std::vector<EncodedPrompt> prompts;
  for (const AnswerInput& input : inputs) {
    FittedPrompt fitted = encode(input);
    // Of what fits nothing needs to be kept until all are looked at.
    const bool fits = too_long_reason(model_.facts(), fitted.prompt, *generation_).empty();
    if (!fits || prompts.empty()) prompts.push_back(std::move(fitted.prompt));
  }
  check_prompts(model_.facts(), prompts, *generation_);
}

AnswerList TextResponder::answer(std::span<const AnswerInput> inputs, std::size_t first,
                                 const AnswerEvents& events) {
  AnswerList answers(inputs.size());
  answer_each(inputs, first, events, [&](std::size_t index, std::unique_ptr<Answer> answer) {
    answers[index] = std::move(answer);
  });
  return answers;
}

void TextResponder::answer_each(std::span<const AnswerInput> inputs, std::size_t first,
                                const AnswerEvents& events, const AnswerGiver& give) {
  AnswerOrder order(events.text, form_->trims());
  TextProgress progress{{}, events.progress, first};
  if (events.text) progress.on_text = [&](const TextPiece& piece) { order.push(piece); };
  TextGenerator generator(engine_, model_.facts(), tokenizer_, *generation_, std::move(progress));
  std::vector<std::string> echoes;   // what stands before the answers
  std::vector<EncodedPrompt> ahead;  // not submitted yet
  const auto read = [&] {
    const AnswerInput& input = inputs[echoes.size()];
    FittedPrompt fitted = encode(input);
    const GenerationSettings& settings = count(fitted);
    const bool echoed = settings.echo && fitted.prompt.continues && !is_skipped(fitted.prompt);
    echoes.push_back(echoed ? prompt_of(input) : "");
    for (std::int64_t s = 0; s < settings.samples; ++s)
      order.add(echoes.size() - 1, static_cast<std::size_t>(s), echoes.back());
    return std::move(fitted.prompt);
  };
  // Texts are passed on in an order that must be known whole; else no more is read than soon
  // begins.
  while (events.text && echoes.size() < inputs.size()) ahead.push_back(read());
  for (EncodedPrompt& prompt : ahead) generator.submit(std::move(prompt));
  const auto enough = static_cast<std::size_t>(generation_->batch_size);
  while (!generator.idle() || echoes.size() < inputs.size()) {
    while (generator.waiting() < enough && echoes.size() < inputs.size()) generator.submit(read());
    for (auto& [index, samples] : generator.step()) {
      give(index, finished_answer(std::move(samples), echoes[index]));
      echoes[index].clear();
    }
  }
}

/// Notes what is to be told of a prompt; its settings.
const GenerationSettings& TextResponder::count(const FittedPrompt& fitted) {
  shortened_ += fitted.cut.any();
  cut_ += fitted.cut;
  const GenerationSettings& settings = fitted.prompt.settings_or(*generation_);
  if (fitted.prompt.settings) note_own(settings);
  not_echoed_ += settings.echo && !fitted.prompt.continues;
  return settings;
}

bool TextResponder::is_skipped(const EncodedPrompt& prompt) const {
  return prompt.settings_or(*generation_).too_long == TooLong::kSkip &&
         !too_long_reason(model_.facts(), prompt, *generation_).empty();
}

std::unique_ptr<Answer> TextResponder::finished_answer(std::vector<GeneratedText> samples,
                                                       const std::string& echo) {
  skipped_ += samples.front().finish_reason == "skipped";
  shortened_ += samples.front().shortened;
  for (GeneratedText& sample : samples) {
    out_of_positions_ += sample.out_of_positions;
    if (form_->trims()) sample.text = std::string(trim(sample.text));
    sample.text.insert(0, echo);
  }
  return std::make_unique<TextAnswer>(std::move(samples));
}

/// Counts what the command's own notes do not say.
void TextResponder::note_own(const GenerationSettings& settings) {
  for (const std::string& note : settings.notes) {
    const std::vector<std::string>& all = generation_->notes;
    if (std::find(all.begin(), all.end(), note) == all.end()) ++own_notes_[note];
  }
}

std::vector<std::string> TextResponder::notes() const {
  std::vector<std::string> notes = generation_->notes;
  const auto add = [&](std::size_t count, const char* what, const char* one, const char* several,
                       const std::string& then) {
    if (count > 0)
      notes.push_back(
          concat(count, " ", what, count > 1 ? "s " : " ", count > 1 ? several : one, then));
  };
  add(skipped_, "prompt", "was", "were", " too long and left out (generation.too_long)");
  add(shortened_, "prompt", "was", "were",
      " too long and shortened (generation.too_long)" +
          (cut_.any() ? ": " + cut_.text(shortened_ > 1) + " left out" : std::string()));
  add(out_of_positions_, "answer", "ends", "end",
      concat(" where the model's ", model_.facts().max_positions, " positions do, before ",
             generation_->max_new_tokens ? "max_new_tokens" : "max_length"));
  add(not_echoed_, "answer", "continues", "continue", " no text, so that echo has no effect");
  for (const auto& [note, count] : own_notes_)
    notes.push_back(
        concat("of ", count, count > 1 ? " prompts'" : " prompt's", " own settings, ", note));
  return notes;
}

Json TextResponder::settings() const {
  Json settings = {{"generation", generation_->keys}, {"form", form_->settings()}};
  if (const Json files = adapters_.files(); !files.empty()) settings["adapters"] = files;
  return settings;
}

}  // namespace llmctl
