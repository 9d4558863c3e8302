#include "tasks/text_answers.h"

#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace llmctl {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

class RawForm : public PromptForm {
 public:
  RawForm(std::shared_ptr<const Tokenizer> tokenizer, bool encoder_decoder)
      : tokenizer_(std::move(tokenizer)), encoder_decoder_(encoder_decoder) {}

  EncodedPrompt encode(const AnswerInput& input, std::size_t number) const override {
    if (input.record.contains("messages"))
      input.fail(
          "the model has no chat template for messages; name one with --chat-template: a "
          "file, or one of " +
          joined(ChatTemplate::builtin_names()));
    const std::string& prompt = prompt_of(input);
    return encoder_decoder_ ? encode_source(*tokenizer_, prompt, number)
                            : encode_prompt(*tokenizer_, prompt, number);
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

  EncodedPrompt encode(const AnswerInput& input, std::size_t number) const override {
    const bool has_messages = input.record.contains("messages");
    if (!has_messages && !prompts_are_messages_)
      return encode_prompt(*tokenizer_, prompt_of(input), number);
    ChatRequest request;
    request.add_generation_prompt = true;
    if (has_messages) {
      request.messages = input.record["messages"];
    } else {
      request.messages.push_back({{"role", "user"}, {"content", prompt_of(input)}});
    }
    const bool opened = !request.messages.empty() && request.messages[0].is_object() &&
                        request.messages[0].value("role", Json()) == "system";
    if (!system_.empty() && !opened) {
      request.messages.insert(request.messages.begin(),
                              Json{{"role", "system"}, {"content", system_}});
    }
    if (input.record.contains("tools")) request.tools = input.record["tools"];
    return {chat_.render_ids(*tokenizer_, request), false};
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
  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatTemplate chat_;
  std::string system_;
  bool prompts_are_messages_;
  ChatTemplate::TurnEnd end_;
};

}  // namespace

GenerationConfig generation_config(const AnswerOptions& options, const Json& config) {
  const Json& own = options.generation;
  Json merged = options.config_directory.empty()
                    ? Json::object()
                    : generation_defaults(options.config_directory);
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

Json TextAnswer::record() const {
  if (samples_.size() == 1) return generated_json(samples_.front());
  Json list = Json::array();
  for (const GeneratedText& sample : samples_) list.push_back(generated_json(sample));
  return {{"samples", std::move(list)}};
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
  std::string members;
  for (const auto& [name, value] : input.record.items())
    members += (members.empty() ? "" : ", ") + name;
  input.fail("expected a text 'prompt' (or 'text'; it has " + members + ")");
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
          joined(ChatTemplate::builtin_names()));
  return make_raw_form(std::move(tokenizer), model.facts().encoder_decoder);
}

TextResponder::TextResponder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                             std::unique_ptr<PromptForm> form, const AnswerOptions& options)
    : model_(model),
      tokenizer_(std::move(tokenizer)),
      form_(std::move(form)),
      generation_(generation_config(options, model.config())),
      context_(options.context) {
  if (const auto end = form_->end_token()) {
    generation_.eos_token_id = stop_ids_of(generation_, model_, *tokenizer_);
    generation_.eos_token_id.push_back(*end);
  }
  if (const std::string end = form_->end_text(); !end.empty()) generation_.stop.push_back(end);
}

std::vector<EncodedPrompt> TextResponder::encode(std::span<const AnswerInput> inputs,
                                                 std::size_t first) const {
  std::vector<EncodedPrompt> prompts;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    prompts.push_back(form_->encode(inputs[i], first + i + 1));
  return prompts;
}

void TextResponder::check(std::span<const AnswerInput> inputs) const {
  check_prompts(model_, encode(inputs, 0), generation_);
}

AnswerList TextResponder::answer(std::span<const AnswerInput> inputs, std::size_t first,
                                 const TextStream& on_text) {
  const std::vector<EncodedPrompt> prompts = encode(inputs, first);
  TextCallback stream;
  if (on_text) stream = [&](std::size_t, const std::string& text) { on_text(text); };
  AnswerList answers;
  for (auto& samples :
       generate_texts(model_, tokenizer_, prompts, generation_, context_, stream, first)) {
    answers.push_back(std::make_unique<TextAnswer>(std::move(samples)));
  }
  return answers;
}

Json TextResponder::settings() const {
  return {{"generation", config_to_json(generation_)}, {"form", form_->settings()}};
}

std::size_t TextResponder::prompt_tokens(const AnswerInput& input) const {
  return form_->encode(input, 1).ids.size();
}

std::size_t TextResponder::prompt_limit() const {
  const auto positions = static_cast<std::size_t>(model_.facts().max_positions);
  const auto answer = static_cast<std::size_t>(generation_.max_new_tokens.value_or(64));
  return positions > 2 * answer ? positions - answer : positions / 2;
}

}  // namespace llmctl
