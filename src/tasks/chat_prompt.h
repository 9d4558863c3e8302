// A conversation as the prompt of an answer, in no more tokens than a model takes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/template/chat_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Whether a message is of "user", "assistant", "system", …
bool has_role(const Json& message, const char* role);

/// What shortening took from prompts.
struct PromptCut {
  std::size_t turns = 0;      ///< the oldest ones of conversations, whole
  std::size_t tokens = 0;     ///< of the text of last turns
  std::size_t beginning = 0;  ///< tokens of the beginning, where turns are not told apart

  bool any() const { return turns + tokens + beginning > 0; }
  PromptCut& operator+=(const PromptCut& other);
  /// "3 oldest turns and 12 tokens of the last turn"; of several prompts "of last turns".
  std::string text(bool several) const;
};

struct ChatPrompt {
  std::vector<TokenId> ids;
  PromptCut cut;
};

/// The request's conversation in at most `length` tokens. Where it has more, whole turns are left
/// out, the oldest first; system messages at the beginning and the last turn stay. Where that is
/// still too much, the longest message of the last turn loses its beginning, in whole tokens and
/// characters. What the template writes is never cut: nothing where it, the system message and a
/// token of the last turn do not fit.
std::optional<ChatPrompt> fit_chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                          ChatRequest request, std::size_t length);

/// The conversation without its oldest exchange: messages up to the first answer, but for system
/// messages at its beginning. Empty where nothing but one exchange is left.
Json without_oldest_exchange(const Json& messages);

}  // namespace llmctl
