#include "runs/chat.h"

#include <csignal>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "config/fields.h"
#include "runs/generation.h"

namespace llmctl {
namespace {

const std::vector<std::string> kChatCommands = {"/help", "/reset", "/quit", "/exit"};
constexpr const char* kChatHelp =
    "/reset  begin a new conversation\n/quit   end (also /exit, or the end of the input)\n"
    "/help   this list\nCtrl-C ends an answer. Any other line is a message.";

class Conversation {
 public:
  Conversation(Answerer& answerer, const ChatConsole& console)
      : answerer_(answerer), console_(console) {}

  void say(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    shorten();
    const Json input = {{"messages", messages_}};
    std::string text;  // so far
    const auto piece = [&](const std::string& more) {
      text += more;
      if (console_.piece) console_.piece(more);
    };
    std::string reason = "interrupted";
    try {
      const GracefulStop graceful;
      const Json answer = answerer_.answer(std::span(&input, 1), turn_++, piece).front();
      text = answer["generated_text"].get<std::string>();
      reason = answer["finish_reason"].get<std::string>();
    } catch (const Interrupted& interrupted) {
      if (interrupted.signal() != SIGINT) throw;
      forget_stop();
    }
    messages_.push_back({{"role", "assistant"}, {"content", text}});
    console_.answer({{"role", "assistant"}, {"content", text}, {"finish_reason", reason}});
  }

  void reset() { messages_ = Json::array(); }

 private:
  /// Leaves the oldest turns out until the prompt fits; a task does so by itself.
  void shorten() {
    if (answerer_.answers_by_task()) return;
    std::size_t dropped = 0;
    while (messages_.size() > 1 &&
           answerer_.prompt_tokens({{"messages", messages_}}) > answerer_.prompt_limit()) {
      messages_.erase(messages_.begin(), messages_.begin() + 2);
      ++dropped;
    }
    if (dropped > 0) {
      console_.warn(concat("the conversation outgrew the model's ", answerer_.prompt_limit(),
                           " tokens: its ", dropped, " oldest turn", dropped > 1 ? "s" : "",
                           " left out"));
    }
  }

  Answerer& answerer_;
  const ChatConsole& console_;
  Json messages_ = Json::array();
  std::size_t turn_ = 0;  // each answer draws for itself
};

}  // namespace

void run_chat(const JsonDocument& document, const ChatConsole& console) {
  GenerateConfig config;
  read_config(root_node(document), config);
  require(config.input.prompt.empty() && config.input.file.empty() && config.input.question.empty(),
          ErrorCode::kUsage, "a conversation takes its lines from the terminal or standard input");
  const Compute compute =
      assemble_compute(config.compute.device, config.compute.precision, config.compute.threads);
  Answerer answerer(config.model.init_from, compute,
                    {config.generation, config.top, config.input.sequence_length, false, true,
                     config.chat.chat_template, config.chat.system});
  answerer.require_conversations();
  Conversation conversation(answerer, console);
  while (const auto line = console.read()) {
    if (const auto bad = find_invalid_utf8(*line)) {
      console.warn(concat("the line is not UTF-8 at byte ", *bad, "; it is left out"));
    } else if (line->starts_with("/")) {
      const std::string command = line->substr(0, line->find(' '));
      if (command == "/quit" || command == "/exit") break;
      if (command == "/reset") {
        conversation.reset();
      } else if (command == "/help") {
        console.tell(kChatHelp);
      } else {
        console.warn(concat("unknown command ", command, did_you_mean(command, kChatCommands),
                            "; /help lists them; a space before it makes it a message"));
      }
    } else if (!line->empty()) {
      conversation.say(*line);
    }
  }
}

}  // namespace llmctl
