#include "tasks/dialogues.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/white_space.h"
#include "tasks/record_names.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

const std::vector<std::string> kMessagesFields = {"messages", "conversations"};
const std::vector<std::string> kPromptFields = {"prompt", "question", "instruction", "query"};
const std::vector<std::string> kSystemFields = {"system", "system_prompt"};
constexpr std::string_view kPlaceholder = "{prompt}";

/// A message's role by the names of OpenAI and ShareGPT; empty for others.
std::string role_of(const std::string& name) {
  if (name == "system" || name == "developer") return "system";
  if (name == "user" || name == "human") return "user";
  if (name == "assistant" || name == "gpt" || name == "model" || name == "chatgpt")
    return "assistant";
  if (name == "tool" || name == "observation") return "tool";
  return "";
}

/// The text of a content: a string, or a list of parts of text (OpenAI's form).
std::string content_text(const Record& message, const std::string& field) {
  if (!message.value.contains(field) || !message.value.at(field).is_array())
    return message.text(field);
  std::string text;
  for (const Json& part : message.value.at(field)) {
    const Record piece{message.place, part, message.number};
    if (!piece.has("type") || piece.text("type") != "text")
      message.fail("messages: a part of a content is not text");
    text += piece.text("text");
  }
  return text;
}

/// A message as {"role", "content", …}, from OpenAI's ({role, content}) or ShareGPT's ({from,
/// value}) form; its other members stay. A call of tools may have null for a content.
Json read_message(const Record& record, const Json& message) {
  if (!message.is_object())
    record.fail(std::string("messages: expected objects, got ") + message.type_name());
  const Record inner{record.place, message, record.number};
  const std::string name = inner.text(message.contains("from") ? "from" : "role");
  const std::string role = role_of(name);
  if (role.empty())
    record.fail("messages: unknown role '" + name + "', expected system, user, assistant or tool");
  const std::string field = message.contains("value") ? "value" : "content";
  const bool calls = message.contains("tool_calls") && !message.at("tool_calls").empty();
  const bool silent = calls && !inner.has(field);
  if (role == "assistant" && inner.has("weight") && message.at("weight") != 0 &&
      message.at("weight") != 1)
    record.fail("messages: weight: expected 0 (not learned) or 1, got " +
                dump_json(message.at("weight")));
  Json out = {{"role", role}, {"content", silent ? Json() : Json(content_text(inner, field))}};
  for (const auto& [key, value] : message.items()) {
    if (key != "role" && key != "from" && key != field) out[key] = value;
  }
  return out;
}

/// Fills turns from messages; messages of the prompt's side that follow one another become one
/// prompt, in lines.
void fill_turns(Dialogue& dialogue) {
  std::string prompt;
  bool open = false;
  for (const Json& message : dialogue.messages) {
    const std::string role = message.at("role").get<std::string>();
    const Json& content = message.at("content");
    const bool calls = message.contains("tool_calls") && !message.at("tool_calls").empty();
    if (role == "tool" || calls) dialogue.only_chat = "messages: calls of tools and their results";
    const std::string text = content.is_string() ? content.get<std::string>() : std::string();
    if (role == "assistant") {
      dialogue.turns.push_back({prompt, text, learns_message(message)});
      prompt.clear();
      open = false;
      continue;
    }
    if (open) prompt += '\n';
    prompt += text;
    open = true;
  }
  if (open) dialogue.turns.push_back({prompt, ""});
  if (!dialogue.tools.is_null()) dialogue.only_chat = "tools";
}

/// Of a conversation what ends with an answer, or (an input) with what is to be answered.
void read_messages(const Record& record, const Json& messages, bool with_answer,
                   Dialogue& dialogue) {
  if (!messages.is_array())
    record.fail(std::string("messages: expected a list, got ") + messages.type_name());
  for (const Json& message : messages) dialogue.messages.push_back(read_message(record, message));
  const auto ends_with = [&](const char* role) {
    return !dialogue.messages.empty() && dialogue.messages.back().at("role") == role;
  };
  if (!with_answer) {
    if (!ends_with("user") && !ends_with("tool"))
      record.fail("messages: the last one is not the user's");
  } else {
    while (!dialogue.messages.empty() && !ends_with("assistant"))
      dialogue.messages.erase(dialogue.messages.size() - 1);
    if (dialogue.messages.empty()) record.fail("messages: no answer of the assistant");
  }
  if (record.has("tools")) dialogue.tools = record.value.at("tools");
  fill_turns(dialogue);
}

/// Fields whose text stands below the prompt: Alpaca's input, Dolly's and SQuAD's context.
std::vector<std::string> inputs_of(const std::string& prompt_field,
                                   const TextGenerationConfig& config) {
  if (config.input_field) return {*config.input_field};
  if (config.prompt_field) return {};
  if (equal_ignoring_case(prompt_field, "instruction")) return {"input", "context"};
  if (equal_ignoring_case(prompt_field, "question")) return {"context"};
  return {};
}

/// A prompt and its answer; adds the names of its fields to `used`.
Turn read_turn(const Record& record, const TextGenerationConfig& config, bool with_answer,
               std::vector<std::string>& used) {
  const auto prompt_field = find_field(record, config.prompt_field, kPromptFields);
  if (!prompt_field) {
    record.fail("no prompt (looked for messages, prompt, question, instruction; it has " +
                record.fields() + ")" + field_remedy("prompt_field"));
  }
  Turn turn{record.text(*prompt_field), ""};
  used.push_back(*prompt_field);
  for (const std::string& input_field : inputs_of(*prompt_field, config)) {
    if (!config.input_field && !record.has(input_field)) continue;
    const std::string input = record.text(input_field);
    if (!input.empty()) turn.prompt += "\n" + input;
    used.push_back(input_field);
  }
  if (!with_answer) return turn;
  const auto answer_field = find_field(record, config.answer_field, answer_fields());
  if (!answer_field) {
    record.fail("no answer (looked for answer, output, response, completion; it has " +
                record.fields() + ")" + field_remedy("answer_field"));
  }
  turn.answer = record.text(*answer_field);
  used.push_back(*answer_field);
  return turn;
}

/// What stands before a prompt in LLaMA-Factory's form of Alpaca's records: "system", "history" (a
/// list of [prompt, answer]) and "tools". Adds the names of its fields to `used`.
void read_preface(const Record& record, Dialogue& dialogue, std::vector<std::string>& used) {
  if (const std::string text = system_text(record, used); !text.empty())
    dialogue.messages.push_back({{"role", "system"}, {"content", text}});
  if (record.has("history")) {
    used.push_back("history");
    const Json& history = record.value.at("history");
    const bool pairs =
        history.is_array() && std::all_of(history.begin(), history.end(), [](const Json& one) {
          return one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string();
        });
    if (!pairs) record.fail("history: expected a list of [prompt, answer]");
    for (const Json& one : history) {
      dialogue.messages.push_back({{"role", "user"}, {"content", one[0]}});
      dialogue.messages.push_back({{"role", "assistant"}, {"content", one[1]}});
    }
  }
  if (record.has("tools") && !record.value.at("tools").empty()) {
    used.push_back("tools");
    const Json& tools = record.value.at("tools");
    if (!tools.is_array() && tools != "")
      record.fail(std::string("tools: expected a list, got ") + tools.type_name());
    if (tools.is_array()) dialogue.tools = tools;
  }
}

/// `used` gets the names of the fields that were read.
Dialogue read_dialogue(const Record& record, const TextGenerationConfig& config, bool with_answer,
                       std::vector<std::string>& used) {
  Dialogue dialogue;
  dialogue.place = record.place;
  const bool flat = config.prompt_field.has_value() && !config.messages_field;
  const auto messages =
      flat ? std::nullopt : find_field(record, config.messages_field, kMessagesFields);
  dialogue.conversation = messages.has_value();
  if (messages) {
    if (!record.has(*messages)) record.text(*messages);  // says whether it is null or absent
    used = {*messages, "tools"};
    read_messages(record, record.value.at(*messages), with_answer, dialogue);
    // ShareGPT's system message may stand beside its conversation.
    if (config.messages_field) return dialogue;
    if (const std::string text = system_text(record, used); !text.empty())
      add_system_message(dialogue, text);
    return dialogue;
  }
  const Turn turn = read_turn(record, config, with_answer, used);
  if (!config.prompt_field) read_preface(record, dialogue, used);
  dialogue.conversation = !dialogue.messages.empty() || !dialogue.tools.is_null();
  dialogue.messages.push_back({{"role", "user"}, {"content", turn.prompt}});
  if (with_answer) dialogue.messages.push_back({{"role", "assistant"}, {"content", turn.answer}});
  if (dialogue.conversation) {
    fill_turns(dialogue);
  } else {
    dialogue.turns = {turn};
  }
  return dialogue;
}

/// That there is something to be asked and to be learnt; an answer may be a call of a tool alone.
void check_not_empty(const Record& record, const Dialogue& dialogue) {
  const Turn& last = dialogue.last();
  if (!dialogue.conversation && is_blank(last.prompt)) record.fail("the prompt is empty");
  const Json calls = dialogue.messages.back().value("tool_calls", Json());
  if (is_blank(last.answer) && calls.empty()) record.fail("the answer is empty");
}

}  // namespace

void TextGenerationConfig::validate(const ConfigNode& node) const {
  if (prompt_template && prompt_template->find(kPlaceholder) == std::string::npos) {
    node.fail("template", "'" + *prompt_template + "' has no {prompt} in it");
  }
  if (roles_to_train.empty())
    node.fail("roles_to_train", "names no role, so that nothing would be learned");
}

std::vector<std::string_view> parts_of(const Dialogue& dialogue) {
  std::vector<std::string_view> parts;
  for (const Turn& turn : dialogue.turns) parts.insert(parts.end(), {turn.prompt, turn.answer});
  return parts;
}

Dialogue read_dialogue(const Record& record, const TextGenerationConfig& config,
                       std::vector<std::string>& used) {
  Dialogue dialogue = read_dialogue(record, config, true, used);
  check_not_empty(record, dialogue);
  return dialogue;
}

void read_dialogues(const std::filesystem::path& file, std::size_t index,
                    const TextGenerationConfig& config, BadRows& bad, std::vector<Dialogue>& out) {
  bool first = true;
  const auto read = [&](const Record& record) {
    std::vector<std::string> used;
    Dialogue dialogue = read_dialogue(record, config, used);
    if (first) tell_unused_fields(file, record, used);
    first = false;
    dialogue.id = record.has("id") ? record.value.at("id") : Json(out.size());
    dialogue.file = index;
    out.push_back(std::move(dialogue));
  };
  for_each_labelled_record(file, read, bad);
}

Dialogue read_prompt_input(const AnswerInput& input, const TextGenerationConfig& config) {
  const Record record{input.place, input.record};
  TextGenerationConfig own = config;
  for (auto* field : {&own.prompt_field, &own.input_field, &own.messages_field})
    *field = field_of_input(record, *field);
  std::vector<std::string> used;
  return read_dialogue(record, own, false, used);
}

std::vector<std::string> fields_beside_prompt(const std::string& prompt_field) {
  std::vector<std::string> fields = inputs_of(prompt_field, TextGenerationConfig());
  fields.insert(fields.end(), kSystemFields.begin(), kSystemFields.end());
  fields.push_back("history");
  return fields;
}

std::string system_text(const Record& record, std::vector<std::string>& used) {
  std::string text;
  for (const std::string& field : kSystemFields) {
    if (!record.has(field) || !text.empty()) continue;
    used.push_back(field);
    text = record.text(field);
  }
  return text;
}

void add_system_message(Dialogue& dialogue, const std::string& text) {
  if (!dialogue.messages.empty() && dialogue.messages[0].at("role") == "system") return;
  dialogue.messages.insert(dialogue.messages.begin(), Json{{"role", "system"}, {"content", text}});
  std::string& prompt = dialogue.turns.front().prompt;
  prompt = prompt.empty() ? text : text + "\n" + prompt;
}

bool learns_message(const Json& message) {
  return !message.contains("weight") || message.at("weight") != 0;
}

std::vector<std::vector<ByteSpan>> spans_of_roles(const Dialogue& dialogue,
                                                  const LearnedRoles& roles) {
  std::vector<std::vector<ByteSpan>> spans(dialogue.turns.size());
  std::size_t turn = 0, at = 0;
  bool open = false;
  // As fill_turns() joins them.
  for (const Json& message : dialogue.messages) {
    const std::string role = message.at("role").get<std::string>();
    if (role == "assistant") {
      ++turn;
      at = 0;
      open = false;
      continue;
    }
    if (open) ++at;
    open = true;
    const Json& content = message.at("content");
    const std::size_t begin = at;
    if (content.is_string()) at += content.get_ref<const std::string&>().size();
    if (turn < spans.size() && at > begin && learns(roles, role))
      spans[turn].push_back({begin, at});
  }
  return spans;
}

bool touches(const std::vector<ByteSpan>& spans, ByteSpan token) {
  return std::any_of(spans.begin(), spans.end(), [&](const ByteSpan& span) {
    return token.begin < span.end && std::max(token.end, token.begin + 1) > span.begin;
  });
}

DialogueEncoder::DialogueEncoder(const Tokenizer& tokenizer, std::string prompt_template,
                                 LearnedRoles learned)
    : tokenizer_(tokenizer),
      learned_(std::move(learned)),
      learns_answers_(learns(learned_, "assistant")) {
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

std::string DialogueEncoder::prompt_template() const {
  return concat(before_, kPlaceholder, behind_);
}

void DialogueEncoder::append(const std::string& text, bool learned, DialogueRow& row) const {
  const std::vector<TokenId> ids = tokenizer_.encode(text);
  row.ids.insert(row.ids.end(), ids.begin(), ids.end());
  row.learned.resize(row.ids.size(), learned);
}

void DialogueEncoder::append_prompt(const std::string& text, const std::vector<ByteSpan>& learned,
                                    DialogueRow& row) const {
  const std::string whole = before_ + text + behind_;
  if (learned.empty()) {
    append(whole, false, row);
    return;
  }
  std::vector<ByteSpan> spans = learned;
  for (ByteSpan& span : spans)
    span = {before_.size() + span.begin, before_.size() + std::min(span.end, text.size())};
  const Encoding encoding = tokenizer_.encode_with_offsets(whole);
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    row.ids.push_back(encoding.ids[i]);
    row.learned.push_back(touches(spans, encoding.offsets[i]));
  }
}

void DialogueEncoder::append_answer(const Turn& turn, DialogueRow& row) const {
  const bool learned = learns_answers_ && turn.learned;
  append(turn.answer, learned, row);
  row.ids.push_back(end_);
  row.learned.push_back(learned);
}

DialogueRow DialogueEncoder::before_last_answer(const Dialogue& dialogue) const {
  require(dialogue.only_chat.empty(), ErrorCode::kData, dialogue.place, ": ", dialogue.only_chat,
          " need a chat template; name one in task.chat_template");
  DialogueRow row{opening_, std::vector<bool>(opening_.size(), false)};
  const auto learned = spans_of_roles(dialogue, learned_);
  for (std::size_t t = 0; t < dialogue.turns.size(); ++t) {
    append_prompt(dialogue.turns[t].prompt, learned[t], row);
    if (t + 1 < dialogue.turns.size()) append_answer(dialogue.turns[t], row);
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
  append_answer(dialogue.last(), row);
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
