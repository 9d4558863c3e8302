#include "tasks/chat_rows.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/white_space.h"

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

/// The marked contents, each with `end` where that follows at once.
std::vector<ByteSpan> marked_spans(const RenderedChat& chat, const std::string& end) {
  std::vector<ByteSpan> spans;
  constexpr char kMark = RenderedChat::kMarkedContent;
  for (std::size_t begin = chat.data.find(kMark); begin != chat.data.npos;
       begin = chat.data.find(kMark, begin)) {
    const std::size_t stop = std::min(chat.data.find_first_not_of(kMark, begin), chat.data.size());
    const bool ends = !end.empty() && chat.text.compare(stop, end.size(), end) == 0;
    spans.push_back({begin, ends ? stop + end.size() : stop});
    begin = stop;
  }
  return spans;
}

/// Messages of the roles whose parts of the rendered text only their marks tell.
std::vector<std::size_t> marked_messages(const Json& messages, const LearnedRoles& learned) {
  std::vector<std::size_t> marked;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string role = messages[i].at("role").get<std::string>();
    if (role != "assistant" && learns(learned, role)) marked.push_back(i);
  }
  return marked;
}

}  // namespace

ChatRows::ChatRows(const Tokenizer& tokenizer, ChatTemplate chat, LearnedRoles learned)
    : tokenizer_(tokenizer),
      chat_(std::move(chat)),
      end_(chat_.turn_end(tokenizer)),
      end_text_(end_.token ? tokenizer.piece(*end_.token) : end_.text),
      learned_(std::move(learned)) {}

DialogueRow ChatRows::encode(const Dialogue& dialogue, const Json& messages) const {
  ChatRequest request = request_of(dialogue, messages, false);
  request.marked = marked_messages(messages, learned_);
  RenderedChat whole = chat_.render(request);
  const std::vector<ByteSpan> others = marked_spans(whole, end_text_);
  require(!others.empty() || std::all_of(request.marked.begin(), request.marked.end(),
                                         [&](std::size_t i) {
                                           const Json& content = messages[i].at("content");
                                           return !content.is_string() ||
                                                  is_blank(content.get_ref<const std::string&>());
                                         }),
          ErrorCode::kData, dialogue.place,
          ": the chat template does not write the messages of task.roles_to_train (",
          join(learned_), ")");
  std::vector<bool> learns_answer;  // of the assistant's messages
  for (const Json& message : messages) {
    if (has_role(message, "assistant"))
      learns_answer.push_back(learns(learned_, "assistant") && learns_message(message));
  }
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
  const auto learns_part = [&](std::size_t answer) {
    if (learned.size() == learns_answer.size()) return static_cast<bool>(learns_answer[answer]);
    // Marks of a template that are no message each: all are learned, or none.
    require(std::set(learns_answer.begin(), learns_answer.end()).size() == 1, ErrorCode::kData,
            dialogue.place, ": the chat template marks ", learned.size(),
            " parts as the assistant's, of ", learns_answer.size(),
            " messages, so that the weight of one cannot be followed");
    return static_cast<bool>(learns_answer.front());
  };
  // What follows the end of a turn (a line break) is the template's, not the model's, to write.
  for (ByteSpan& span : learned) {
    const std::size_t found =
        end_text_.empty() ? std::string::npos : whole.text.rfind(end_text_, span.end);
    if (found != std::string::npos && found >= span.begin) span.end = found + end_text_.size();
  }
  // To the tokenizer all data are alike.
  std::replace(whole.data.begin(), whole.data.end(), RenderedChat::kMarkedContent,
               RenderedChat::kFromMessages);
  DialogueRow row;
  // `answer`: whether it is learned; nothing of what is none.
  const auto append = [&](std::size_t begin, std::size_t stop, std::optional<bool> answer) {
    if (begin >= stop) return;
    const std::string_view text = std::string_view(whole.text).substr(begin, stop - begin);
    const std::string_view data = whole.data.empty()
                                      ? std::string_view()
                                      : std::string_view(whole.data).substr(begin, stop - begin);
    const Encoding encoding = tokenizer_.encode_marked(text, data);
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      const ByteSpan span = encoding.offsets[i];
      row.ids.push_back(encoding.ids[i]);
      row.learned.push_back(
          answer.value_or(touches(others, {begin + span.begin, begin + span.end})));
    }
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < learned.size(); ++i) {
    append(at, learned[i].begin, {});
    append(learned[i].begin, learned[i].end, learns_part(i));
    at = learned[i].end;
  }
  append(at, whole.text.size(), {});
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
