#include "tasks/conversation_form.h"

#include <limits>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "tasks/text_answers.h"

namespace llmctl {
namespace {

constexpr const char* kDefaultTemplate = "{prompt}\n";

/// A string of Jinja's.
std::string literal(const std::string& text) {
  return dump_json(Json(text));
}

/// What DialogueEncoder writes, as a chat template: messages of the prompt's side that follow one
/// another are one prompt, in lines.
std::string as_chat_template(const DialogueEncoder& encoder) {
  return concat(encoder.begins_with_bos() ? "{{ bos_token }}" : "",
                "{% for message in messages %}{% if message['role'] == 'assistant' %}"
                "{{ message['content'] + eos_token }}{% else %}"
                "{% if loop.first or messages[loop.index0 - 1]['role'] == 'assistant' %}{{ ",
                literal(encoder.before()), " }}{% else %}{{ ", literal("\n"),
                " }}{% endif %}{{ message['content'] }}"
                "{% if loop.last or messages[loop.index0 + 1]['role'] == 'assistant' %}{{ ",
                literal(encoder.behind()), " }}{% endif %}{% endif %}{% endfor %}");
}

}  // namespace

ConversationForm ConversationForm::choose(const TextGenerationConfig& config,
                                          const Tokenizer& tokenizer, const FormSources& sources) {
  const auto plain = [&](const std::string& prompt_template) {
    return ConversationForm(DialogueEncoder(tokenizer, prompt_template, config.roles_to_train));
  };
  const auto template_of = [&](const std::filesystem::path& directory) {
    return directory.empty() ? std::nullopt : ChatTemplate::of_directory(directory, tokenizer);
  };
  // That of the tokenizer's directory, which is named, else that of the start model.
  const auto own_template = [&] {
    std::optional<ChatTemplate> chat = template_of(sources.directory);
    return chat ? chat : template_of(sources.start);
  };
  if (config.prompt_template && !config.conversations.value_or(false))
    return plain(*config.prompt_template);
  if (!config.chat_template.empty())
    return ConversationForm(ChatRows(
        tokenizer, named_chat_template(config.chat_template, tokenizer), config.roles_to_train));
  const bool described_chat =
      sources.described.is_object() && sources.described.value("conversations", Json()) == true;
  if (config.conversations.value_or(described_chat)) {
    std::optional<ChatTemplate> chat;
    if (!config.conversations) chat = template_of(sources.start);
    if (!chat) chat = own_template();
    require(chat.has_value(), ErrorCode::kConfig,
            "task.conversations: the model has no chat template; name one in task.chat_template");
    return ConversationForm(ChatRows(tokenizer, std::move(*chat), config.roles_to_train));
  }
  if (sources.described.is_object()) {
    const Json known = sources.described.value("template", Json());
    if (known.is_string()) return plain(known.get<std::string>());
  }
  if (sources.conversations && !config.conversations) {
    if (std::optional<ChatTemplate> chat = own_template())
      return ConversationForm(ChatRows(tokenizer, std::move(*chat), config.roles_to_train));
  }
  return plain(kDefaultTemplate);
}

void ConversationForm::tell_kept(const char* task, const TextGenerationConfig& config,
                                 const FormSources& sources, const std::string& model) {
  const bool given =
      config.prompt_template || !config.chat_template.empty() || config.conversations.has_value();
  if (given || !sources.described.is_object()) return;
  const Json known = sources.described.value("template", Json());
  const bool chat = sources.described.value("conversations", Json()) == true;
  if (!chat && !known.is_string()) return;
  log_info(task, ": prompts are in the form that ", model, " was trained with, ",
           chat ? "its chat template" : dump_json(known), " (task.template names another)");
}

DialogueRow ConversationForm::row(const Dialogue& dialogue, std::size_t length) const {
  return std::visit([&](const auto& rows) { return rows.row(dialogue, length); }, rows_);
}

std::vector<TokenId> ConversationForm::prompt(const Dialogue& dialogue, std::size_t length) const {
  return std::visit([&](const auto& rows) { return rows.prompt(dialogue, length); }, rows_);
}

std::optional<ChatPrompt> ConversationForm::fit(const Dialogue& dialogue,
                                                std::size_t length) const {
  if (const auto* chat = std::get_if<ChatRows>(&rows_)) return chat->fit(dialogue, length);
  const std::size_t whole = prompt(dialogue, std::numeric_limits<std::size_t>::max()).size();
  ChatPrompt fitted{prompt(dialogue, length), {}};
  fitted.cut.beginning = whole - fitted.ids.size();
  return fitted;
}

std::optional<TokenId> ConversationForm::end_token() const {
  if (const auto* encoder = std::get_if<DialogueEncoder>(&rows_)) return encoder->end();
  return std::get<ChatRows>(rows_).end().token;
}

std::string ConversationForm::end_text() const {
  const auto* chat = std::get_if<ChatRows>(&rows_);
  return chat == nullptr ? "" : chat->end().text;
}

Json ConversationForm::described() const {
  if (const auto* encoder = std::get_if<DialogueEncoder>(&rows_))
    return {{"template", encoder->prompt_template()}};
  return {{"conversations", true}};
}

std::string ConversationForm::chat_template() const {
  if (const auto* encoder = std::get_if<DialogueEncoder>(&rows_)) return as_chat_template(*encoder);
  return std::get<ChatRows>(rows_).chat().source();
}

}  // namespace llmctl
