// A conversation with a model, line by line.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "config/json.h"

namespace llmctl {

/// Where a conversation's lines come from and go to.
struct ChatConsole {
  std::istream& in;
  std::function<void()> ask;                      ///< before a line is read
  std::function<void(const std::string&)> piece;  ///< of an answer, as it grows
  std::function<void(const Json&)> answer;        ///< the whole answer, when it is there
  std::function<void(const std::string&)> note;   ///< what the user should know
};

/// Each line is a message of the user's in one conversation; "/reset" begins a new one, "/quit" or
/// the end of the input ends it. When a conversation outgrows the model its oldest turns are left
/// out, which is noted. Messages become tokens by the chat template (chat.template, else the
/// model's), or as the model's fine-tuning on prompts and answers had them. kUsage for a model with
/// neither.
void run_chat(const JsonDocument& document, const ChatConsole& console);

}  // namespace llmctl
