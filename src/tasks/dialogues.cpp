#include "tasks/dialogues.h"

#include <algorithm>

#include "base/error.h"
#include "tasks/record_names.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

const std::vector<std::string> kMessagesFields = {"messages", "conversations"};
const std::vector<std::string> kPromptFields = {"prompt", "question", "instruction", "query"};
constexpr std::string_view kPlaceholder = "{prompt}";

enum class Role { kSystem, kUser, kAssistant };

/// A message's role and text, as OpenAI's ({role, content}, content also a list of parts) or
/// ShareGPT's ({from, value}) form has them.
std::pair<Role, std::string> read_message(const Record& record, const Json& message) {
  if (!message.is_object())
    record.fail(std::string("messages: expected objects, got ") + message.type_name());
  const Record inner{record.place, message, record.number};
  const std::string role = inner.text(message.contains("from") ? "from" : "role");
  const std::string field = message.contains("value") ? "value" : "content";
  std::string text;
  if (message.contains(field) && message.at(field).is_array()) {
    for (const Json& part : message.at(field)) {
      const Record piece{record.place, part, record.number};
      if (!piece.has("type") || piece.text("type") != "text")
        record.fail("messages: a part of a content is not text");
      text += piece.text("text");
    }
  } else {
    text = inner.text(field);
  }
  if (role == "system") return {Role::kSystem, text};
  if (role == "user" || role == "human") return {Role::kUser, text};
  if (role == "assistant" || role == "gpt") return {Role::kAssistant, text};
  record.fail("messages: unknown role '" + role + "', expected system, user or assistant");
}

/// Turns of a conversation; messages of the prompt's side that follow one another become one
/// prompt, in lines.
std::vector<Turn> read_messages(const Record& record, const Json& messages, bool with_open_prompt) {
  if (!messages.is_array())
    record.fail(std::string("messages: expected a list, got ") + messages.type_name());
  std::vector<Turn> turns;
  std::string prompt;
  bool open = false;
  for (const Json& message : messages) {
    const auto [role, text] = read_message(record, message);
    if (role == Role::kAssistant) {
      turns.push_back({prompt, text});
      prompt.clear();
      open = false;
      continue;
    }
    if (open) prompt += '\n';
    prompt += text;
    open = true;
  }
  if (with_open_prompt) {
    if (!open) record.fail("messages: the last one is not the user's");
    turns.push_back({prompt, ""});
  }
  return turns;
}

Turn read_turn(const Record& record, const TextGenerationConfig& config, bool with_answer) {
  const auto prompt_field = find_field(record, config.prompt_field, kPromptFields);
  if (!prompt_field) {
    record.fail("no prompt (looked for messages, prompt, question, instruction; it has " +
                record.fields() + "); name its field in task.prompt_field");
  }
  Turn turn{record.text(*prompt_field), ""};
  const std::string input_field = config.input_field.value_or("input");
  if (config.input_field || (*prompt_field == "instruction" && record.has(input_field))) {
    const std::string input = record.text(input_field);
    if (!input.empty()) turn.prompt += "\n" + input;
  }
  if (!with_answer) return turn;
  const auto answer_field = find_field(record, config.answer_field, answer_fields());
  if (!answer_field) {
    record.fail("no answer (looked for answer, output, response, completion; it has " +
                record.fields() + "); name its field in task.answer_field");
  }
  turn.answer = record.text(*answer_field);
  return turn;
}

std::vector<Turn> read_turns(const Record& record, const TextGenerationConfig& config,
                             bool with_answer) {
  const bool flat = config.prompt_field.has_value() && !config.messages_field;
  const auto messages =
      flat ? std::nullopt : find_field(record, config.messages_field, kMessagesFields);
  if (!messages) return {read_turn(record, config, with_answer)};
  if (!record.has(*messages))
    record.fail("no field '" + *messages + "' (it has " + record.fields() + ")");
  std::vector<Turn> turns = read_messages(record, record.value.at(*messages), !with_answer);
  if (turns.empty()) record.fail("messages: no answer of the assistant");
  return turns;
}

}  // namespace

void TextGenerationConfig::validate(const ConfigNode& node) const {
  if (prompt_template && prompt_template->find(kPlaceholder) == std::string::npos) {
    node.fail("template", "'" + *prompt_template + "' has no {prompt} in it");
  }
}

void read_dialogues(const std::filesystem::path& file, std::size_t index,
                    const TextGenerationConfig& config, std::vector<Dialogue>& out) {
  for_each_labelled_record(file, [&](const Record& record) {
    out.push_back({record.has("id") ? record.value.at("id") : Json(out.size()),
                   read_turns(record, config, true), index});
  });
}

Dialogue read_prompt_input(const AnswerInput& input, const TextGenerationConfig& config) {
  return {Json(), read_turns(Record{input.place, input.record}, config, false), 0};
}

DialogueEncoder::DialogueEncoder(const Tokenizer& tokenizer, std::string prompt_template)
    : tokenizer_(tokenizer) {
  const std::size_t at = prompt_template.find(kPlaceholder);
  require(at != std::string::npos, ErrorCode::kData, "template '", prompt_template,
          "' has no {prompt} in it");
  before_ = prompt_template.substr(0, at);
  behind_ = prompt_template.substr(at + kPlaceholder.size());
  require(tokenizer.special().eos.has_value(), ErrorCode::kData, "text generation: the tokenizer (",
          tokenizer.description(),
          ") has no end-of-text token; train one with the recipe 'causal'");
  end_ = *tokenizer.special().eos;
  TokenId probe = 0;
  while (tokenizer.is_special(probe)) ++probe;
  for (TokenId id : tokenizer.with_special(std::span(&probe, 1))) {
    if (id == probe) break;
    opening_.push_back(id);
  }
}

void DialogueEncoder::append(const std::string& text, bool learned, DialogueRow& row) const {
  const std::vector<TokenId> ids = tokenizer_.encode(text);
  row.ids.insert(row.ids.end(), ids.begin(), ids.end());
  row.learned.resize(row.ids.size(), learned);
}

DialogueRow DialogueEncoder::before_last_answer(const Dialogue& dialogue) const {
  DialogueRow row{opening_, std::vector<bool>(opening_.size(), false)};
  for (std::size_t t = 0; t < dialogue.turns.size(); ++t) {
    append(before_ + dialogue.turns[t].prompt + behind_, false, row);
    if (t + 1 == dialogue.turns.size()) break;
    append(dialogue.turns[t].answer, true, row);
    row.ids.push_back(end_);
    row.learned.push_back(true);
  }
  return row;
}

void DialogueEncoder::shorten(DialogueRow& row, std::size_t length) const {
  if (row.ids.size() <= length) return;
  const std::size_t kept = std::min(opening_.size(), length);
  const auto from = static_cast<std::ptrdiff_t>(kept),
             to = static_cast<std::ptrdiff_t>(kept + row.ids.size() - length);
  row.ids.erase(row.ids.begin() + from, row.ids.begin() + to);
  row.learned.erase(row.learned.begin() + from, row.learned.begin() + to);
}

DialogueRow DialogueEncoder::row(const Dialogue& dialogue, std::size_t length) const {
  DialogueRow row = before_last_answer(dialogue);
  const std::size_t prompt = row.ids.size();
  append(dialogue.last().answer, true, row);
  row.ids.push_back(end_);
  row.learned.push_back(true);
  // Of an answer that does not fit even alone the beginning is learned, behind a token of its
  // prompt.
  const std::size_t answer = row.ids.size() - prompt;
  if (answer + 2 > length) {
    const std::size_t size = prompt + (length > 2 ? length - 2 : 0);
    row.ids.resize(size);
    row.learned.resize(size);
  }
  shorten(row, length);
  return row;
}

std::vector<TokenId> DialogueEncoder::prompt(const Dialogue& dialogue, std::size_t length) const {
  DialogueRow row = before_last_answer(dialogue);
  shorten(row, length);
  return std::move(row.ids);
}

}  // namespace llmctl
