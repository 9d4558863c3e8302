#include "tasks/text_answers.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "config/fields.h"
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

GenerationSettings generation_settings(const AnswerOptions& options, const Json& model_config,
                                       bool encoder_decoder, const Tokenizer& tokenizer) {
  GenerationSources sources;
  sources.directory = options.config_directory;
  sources.config = model_config;
  sources.encoder_decoder = encoder_decoder;
  sources.tokenizer_eos = tokenizer.target().special().eos;
  sources.vocab_size = tokenizer.target().vocab_size();
  return resolve_generation(sources, options.generation);
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
      generation_(
          generation_settings(options, model.config(), model.facts().encoder_decoder, *tokenizer_)),
      sequence_length_(options.sequence_length),
      engine_(model, engine_options(generation_, *tokenizer_), options.context) {
  if (const auto end = form_->end_token()) generation_.add_eos(*end);
  if (const std::string end = form_->end_text(); !end.empty()) generation_.stop.push_back(end);
}

FittedPrompt TextResponder::encode(const AnswerInput& input) const {
  EncodedPrompt prompt = form_->encode(input);
  const bool fits =
      generation_.too_long != TooLong::kTruncate || prompt.ids.size() <= prompt_room();
  return fits ? FittedPrompt{std::move(prompt), {}} : form_->fit(input, prompt_room());
}

std::size_t TextResponder::prompt_room() const {
  std::int64_t positions = model_.facts().max_positions;
  if (sequence_length_ > 0) positions = std::min(positions, sequence_length_);
  return static_cast<std::size_t>(generation_.prompt_room(positions));
}

void TextResponder::check(std::span<const AnswerInput> inputs) const {
  std::vector<EncodedPrompt> prompts;
  for (const AnswerInput& input : inputs) prompts.push_back(encode(input).prompt);
  check_prompts(model_.facts(), prompts, generation_);
}

AnswerList TextResponder::answer(std::span<const AnswerInput> inputs, std::size_t first,
                                 const TextStream& on_text) {
  std::vector<EncodedPrompt> prompts;
  for (const AnswerInput& input : inputs) {
    FittedPrompt fitted = encode(input);
    shortened_ += fitted.cut.any();
    cut_ += fitted.cut;
    prompts.push_back(std::move(fitted.prompt));
  }
  TextCallback stream;
  if (on_text && generation_.samples == 1)
    stream = [&](const TextPiece& piece) { on_text(piece.text); };
  AnswerList answers;
  for (auto& samples :
       generate_texts(engine_, model_.facts(), tokenizer_, prompts, generation_, {stream, first})) {
    skipped_ += samples.front().finish_reason == "skipped";
    shortened_ += samples.front().shortened;
    for (const GeneratedText& sample : samples) out_of_positions_ += sample.out_of_positions;
    if (form_->trims()) {
      for (GeneratedText& sample : samples) sample.text = std::string(trim(sample.text));
    }
    answers.push_back(std::make_unique<TextAnswer>(std::move(samples)));
  }
  return answers;
}

std::vector<std::string> TextResponder::notes() const {
  std::vector<std::string> notes = generation_.notes;
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
             generation_.max_new_tokens ? "max_new_tokens" : "max_length"));
  return notes;
}

Json TextResponder::settings() const {
  return {{"generation", generation_.keys}, {"form", form_->settings()}};
}

}  // namespace llmctl
