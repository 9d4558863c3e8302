// Conversations as rows that a causal model learns from, in the form of a chat template.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "tasks/chat_prompt.h"
#include "tasks/dialogues.h"
#include "text/template/chat_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Writes dialogues through a chat template. What the assistant says is learned, with what ends its
/// turn: what {% generation %} blocks mark, else what the template writes behind the prompt for
/// each answer. Both sides of such a border are tokenized by themselves, as generating will meet
/// them.
class ChatRows {
 public:
  ChatRows(const Tokenizer& tokenizer, ChatTemplate chat);
  const ChatTemplate& chat() const { return chat_; }
  const ChatTemplate::TurnEnd& end() const { return end_; }

  /// The whole dialogue in at most `length` tokens: where it is longer its oldest exchanges are
  /// left out (not the system message), then the beginning of what remains. kData, naming the
  /// record, where the template does not tell which part is the assistant's.
  DialogueRow row(const Dialogue& dialogue, std::size_t length) const;
  /// What stands before the last answer, as fit_chat_prompt() gives it.
  std::optional<ChatPrompt> fit(const Dialogue& dialogue, std::size_t length) const;
  /// The same; where it does not fit, the beginning is left out as of rows.
  std::vector<TokenId> prompt(const Dialogue& dialogue, std::size_t length) const;

 private:
  DialogueRow encode(const Dialogue& dialogue, const Json& messages) const;

  const Tokenizer& tokenizer_;
  ChatTemplate chat_;
  ChatTemplate::TurnEnd end_;
};

}  // namespace llmctl
