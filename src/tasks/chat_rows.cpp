#include "tasks/chat_rows.h"

#include <string>
#include <utility>

#include "base/error.h"

namespace llmctl {
namespace {

ChatRequest request_of(const Dialogue& dialogue, Json messages, bool add_generation_prompt) {
  ChatRequest request;
  request.messages = std::move(messages);
  request.tools = dialogue.tools;
  request.add_generation_prompt = add_generation_prompt;
  return request;
}

/// Refuses what the template would leave out without a word.
void check_written(const ChatTemplate& chat, const Dialogue& dialogue) {
  const std::string what = chat.overlooked(request_of(dialogue, dialogue.messages, false));
  require(what.empty(), ErrorCode::kData, dialogue.place, ": the chat template does not write ",
          what);
}

Json before_last_answer(const Dialogue& dialogue) {
  Json messages = dialogue.messages;
  if (!messages.empty() && has_role(messages.back(), "assistant"))
    messages.erase(messages.size() - 1);
  return messages;
}

/// The last part of ids and flags, so many as fit.
void keep_end(DialogueRow& row, std::size_t length) {
  if (row.ids.size() <= length) return;
  const auto excess = static_cast<std::ptrdiff_t>(row.ids.size() - length);
  row.ids.erase(row.ids.begin(), row.ids.begin() + excess);
  row.learned.erase(row.learned.begin(), row.learned.begin() + excess);
}

}  // namespace

ChatRows::ChatRows(const Tokenizer& tokenizer, ChatTemplate chat)
    : tokenizer_(tokenizer), chat_(std::move(chat)), end_(chat_.turn_end(tokenizer)) {}

DialogueRow ChatRows::encode(const Dialogue& dialogue, const Json& messages) const {
  const RenderedChat whole = chat_.render(request_of(dialogue, messages, false));
  std::vector<ByteSpan> learned = whole.assistant;
  if (learned.empty()) {
    Json before = Json::array();
    for (const Json& message : messages) {
      if (has_role(message, "assistant")) {
        const std::string prompt = chat_.render(request_of(dialogue, before, true)).text;
        before.push_back(message);
        const std::string answered = chat_.render(request_of(dialogue, before, false)).text;
        const bool told = answered.starts_with(prompt) && whole.text.starts_with(answered);
        require(told, ErrorCode::kData, dialogue.place,
                ": the chat template does not show which part is the assistant's (answer ",
                learned.size() + 1,
                " is written otherwise once others follow); mark it with {% generation %} in a "
                "template of your own (task.chat_template)");
        learned.push_back({prompt.size(), answered.size()});
      } else {
        before.push_back(message);
      }
    }
  }
  // What follows the end of a turn (a line break) is the template's, not the model's, to write.
  const std::string end = end_.token ? tokenizer_.piece(*end_.token) : end_.text;
  for (ByteSpan& span : learned) {
    const std::size_t found = end.empty() ? std::string::npos : whole.text.rfind(end, span.end);
    if (found != std::string::npos && found >= span.begin) span.end = found + end.size();
  }
  DialogueRow row;
  const auto append = [&](std::size_t begin, std::size_t stop, bool is_learned) {
    if (begin >= stop) return;
    const std::string_view text = std::string_view(whole.text).substr(begin, stop - begin);
    const std::string_view data = whole.data.empty()
                                      ? std::string_view()
                                      : std::string_view(whole.data).substr(begin, stop - begin);
    const std::vector<TokenId> ids = tokenizer_.encode_marked(text, data).ids;
    row.ids.insert(row.ids.end(), ids.begin(), ids.end());
    row.learned.resize(row.ids.size(), is_learned);
  };
  std::size_t at = 0;
  for (const ByteSpan& span : learned) {
    append(at, span.begin, false);
    append(span.begin, span.end, true);
    at = span.end;
  }
  append(at, whole.text.size(), false);
  return row;
}

DialogueRow ChatRows::row(const Dialogue& dialogue, std::size_t length) const {
  check_written(chat_, dialogue);
  DialogueRow row = encode(dialogue, dialogue.messages);
  for (Json rest = dialogue.messages; row.ids.size() > length;) {
    rest = without_oldest_exchange(rest);
    if (rest.empty()) break;
    row = encode(dialogue, rest);
  }
  keep_end(row, length);
  return row;
}

std::optional<ChatPrompt> ChatRows::fit(const Dialogue& dialogue, std::size_t length) const {
  check_written(chat_, dialogue);
  return fit_chat_prompt(tokenizer_, chat_,
                         request_of(dialogue, before_last_answer(dialogue), true), length);
}

std::vector<TokenId> ChatRows::prompt(const Dialogue& dialogue, std::size_t length) const {
  if (auto prompt = fit(dialogue, length)) return std::move(prompt->ids);
  Json messages = before_last_answer(dialogue);
  for (Json rest = messages; !rest.empty(); rest = without_oldest_exchange(rest)) messages = rest;
  DialogueRow row{chat_.render_ids(tokenizer_, request_of(dialogue, messages, true)), {}};
  row.learned.resize(row.ids.size());
  keep_end(row, length);
  return std::move(row.ids);
}

}  // namespace llmctl
