// Conversations as rows that a causal model learns from, in the form of a chat template.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tasks/chat_prompt.h"
#include "tasks/dialogues.h"
#include "text/template/chat_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Writes dialogues through a chat template. What the learned roles say is learned, with what ends
/// their turns. Of the assistant that is what {% generation %} blocks mark, else what the template
/// writes behind the prompt for each answer; both sides of such a border are tokenized by
/// themselves, as generating will meet them. Of others it is the tokens of their messages'
/// contents.
class ChatRows {
 public:
  ChatRows(const Tokenizer& tokenizer, ChatTemplate chat, LearnedRoles learned = {"assistant"});
  const ChatTemplate& chat() const { return chat_; }
  const ChatTemplate::TurnEnd& end() const { return end_; }

  /// The whole dialogue in at most `length` tokens: where it is longer its oldest exchanges are
  /// left out (not the system message), then the beginning of what remains. kData, naming the
  /// record, where the template does not tell which part is the assistant's, or does not write
  /// what is to be learned.
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
  std::string end_text_;  // as it is written
  LearnedRoles learned_;
};

}  // namespace llmctl
