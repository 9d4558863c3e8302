// A conversation with a model, line by line.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/json.h"
#include "runs/generation.h"

namespace llmctl {

/// A line that was typed.
struct ChatLine {
  std::string text;
  bool discarded = false;  ///< Ctrl-C: it and the message that it goes on with are not wanted
};

/// Where a conversation's lines come from and go to.
struct ChatConsole {
  /// The next line, which begins a message or goes on with it; nothing: there are no more.
  std::function<std::optional<ChatLine>(bool goes_on)> read;
  std::function<void(const std::string&)> remember;  ///< what was typed, to be found again
  std::function<void(const std::string&)> piece;     ///< of an answer, as it grows; may be empty
  std::function<void(const Json&)> answer;           ///< the whole answer, when it is there
  std::function<void(const std::string&)> tell;      ///< what the user asked to know
  std::function<void(const std::string&)> warn;      ///< what the user should know
};

/// Each line is a message of the user's in one conversation. A line that ends with a backslash goes
/// on in the next one; one that begins with three quotation marks begins a message of several lines
/// that ends with a line that ends with them. Lines that begin with "/" are commands ("/help" lists
/// them), others than those are named and not sent. What is not UTF-8 is left out with a warning.
/// SIGINT ends the answer that is being written, whose text so far stays part
/// of the conversation; SIGTERM ends it all (Interrupted). When a conversation outgrows the model
/// its oldest turns are left out, which is noted. Messages become tokens by the chat template
/// (chat.template, else the model's), or as the model's fine-tuning on prompts and answers had
/// them. kUsage for a model with neither.
void run_chat(const JsonDocument& document, const ChatConsole& console);

/// For --dry-run: refuses what run_chat() would refuse before the first line.
GenerationPlan plan_chat(const JsonDocument& document);

}  // namespace llmctl
