#include "tasks/chat_prompt.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace llmctl {
namespace {

/// Where the text goes on behind its first `count` tokens, at a whole character.
std::size_t begin_behind(const std::string& text, const Encoding& encoding, std::size_t count) {
  std::size_t begin = encoding.offsets[count].begin;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return begin;
}

/// The message of the last turn (from the last one of the user on) with the longest text; null
/// where none has a text.
Json* longest_of_last_turn(Json& messages) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (has_role(messages[i], "user")) begin = i;
  }
  Json* longest = nullptr;
  std::size_t most = 0;
  for (std::size_t i = begin; i < messages.size(); ++i) {
    const Json content = messages[i].value("content", Json());
    if (has_role(messages[i], "system") || !content.is_string()) continue;
    const std::size_t size = content.get_ref<const std::string&>().size();
    if (size <= most) continue;
    most = size;
    longest = &messages[i];
  }
  return longest;
}

}  // namespace

bool has_role(const Json& message, const char* role) {
  return message.value("role", Json()) == role;
}

PromptCut& PromptCut::operator+=(const PromptCut& other) {
  turns += other.turns;
  tokens += other.tokens;
  beginning += other.beginning;
  return *this;
}

std::string PromptCut::text(bool several) const {
  std::vector<std::string> parts;
  const auto add = [&](std::size_t count, const char* what, const std::string& of) {
    if (count > 0) parts.push_back(concat(count, " ", what, count > 1 ? "s" : "", of));
  };
  add(turns, "oldest turn", "");
  add(tokens, "token", several ? " of last turns" : " of the last turn");
  add(beginning, "token", several ? " of their beginnings" : " of the beginning");
  return join(parts, " and ");
}

std::optional<ChatPrompt> fit_chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                          ChatRequest request, std::size_t length) {
  ChatPrompt prompt;
  const auto fits = [&] {
    prompt.ids = chat.render_ids(tokenizer, request);
    return prompt.ids.size() <= length;
  };
  if (fits()) return prompt;
  for (Json rest = without_oldest_exchange(request.messages); !rest.empty();
       rest = without_oldest_exchange(rest)) {
    request.messages = rest;
    ++prompt.cut.turns;
    if (fits()) return prompt;
  }
  Json* message = longest_of_last_turn(request.messages);
  if (message == nullptr) return std::nullopt;
  const std::string text = message->at("content").get<std::string>();
  const Encoding encoding = tokenizer.encode_with_offsets(text);
  // The rest of a text may have other tokens than it had behind its beginning.
  for (std::size_t cut = prompt.ids.size() - length; cut < encoding.ids.size();
       cut += prompt.ids.size() - length) {
    const std::string rest = text.substr(begin_behind(text, encoding, cut));
    if (rest.empty()) break;
    (*message)["content"] = rest;
    prompt.cut.tokens = cut;
    if (fits()) return prompt;
  }
  return std::nullopt;
}

Json without_oldest_exchange(const Json& messages) {
  std::size_t begin = 0;
  while (begin < messages.size() && has_role(messages[begin], "system")) ++begin;
  std::size_t end = begin;
  while (end < messages.size() && !has_role(messages[end], "assistant")) ++end;
  // Answers of the assistant that follow one another, and results of tools, belong together.
  while (end < messages.size() && !has_role(messages[end], "user")) ++end;
  if (end >= messages.size()) return Json::array();
  Json rest = Json::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i < begin || i >= end) rest.push_back(messages[i]);
  }
  return rest;
}

}  // namespace llmctl
