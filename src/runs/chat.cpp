#include "runs/chat.h"

#include <csignal>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "config/fields.h"
#include "tasks/text_answers.h"

namespace llmctl {
namespace {

const std::vector<std::string> kChatCommands = {"/help", "/reset", "/quit", "/exit"};
constexpr const char* kChatHelp =
    "/reset  begin a new conversation\n/quit   end (also /exit, or the end of the input)\n"
    "/help   this list\nCtrl-C ends an answer. Any other line is a message.";

class Conversation {
 public:
  Conversation(TextResponder& responder, const ChatConsole& console)
      : responder_(responder), console_(console), notes_(responder.notes()) {
    for (const std::string& note : notes_) console_.warn(note);
  }

  void say(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    shorten();
    const AnswerInput input = this->input();
    std::string text;  // so far
    const auto piece = [&](const AnswerPiece& more) {
      text += more.text;
      if (console_.piece) console_.piece(more.text);
    };
    std::string reason = "interrupted";
    try {
      const GracefulStop graceful;
      const AnswerList answers = responder_.answer(std::span(&input, 1), turn_++, {piece});
      const GeneratedText& answer =
          dynamic_cast<const TextAnswer&>(*answers.front()).samples().front();
      text = answer.text;
      reason = answer.finish_reason;
    } catch (const Interrupted& interrupted) {
      if (interrupted.signal() != SIGINT) throw;
      forget_stop();
    }
    messages_.push_back({{"role", "assistant"}, {"content", text}});
    Json record = {{"role", "assistant"}, {"content", text}, {"finish_reason", reason}};
    // As of `generate`'s answers, the first one has them.
    if (turn_ == 1 && !notes_.empty()) record["notes"] = notes_;
    console_.answer(record);
  }

  void reset() { messages_ = Json::array(); }

 private:
  AnswerInput input() const { return {{{"messages", messages_}}, "the conversation"}; }

  /// Leaves out for good the oldest turns that no longer fit, and says so.
  void shorten() {
    const PromptCut cut = responder_.cut_of(input());
    if (!cut.any()) return;
    for (std::size_t i = 0; i < cut.turns; ++i) messages_ = without_oldest_exchange(messages_);
    console_.warn(concat("the conversation outgrew the ", responder_.prompt_room(),
                         " tokens that leave room for an answer: ", cut.text(false), " left out"));
  }

  TextResponder& responder_;
  const ChatConsole& console_;
  const std::vector<std::string> notes_;  // on the settings
  Json messages_ = Json::array();
  std::size_t turn_ = 0;  // each answer draws for itself
};

/// Who holds the conversation that a configuration describes.
struct Partner {
  AnsweringModel answering;
  TextResponder& responder;
};

Partner partner_of(const JsonDocument& document) {
  GenerateConfig config = read_generate_config(document);
  // A conversation goes on where a file of prompts would be refused.
  if (!config.generation.contains("too_long")) config.generation["too_long"] = "truncate";
  require(config.input.prompt.empty() && config.input.file.empty() && config.input.question.empty(),
          ErrorCode::kUsage, "a conversation takes its lines from the terminal or standard input");
  AnsweringModel answering = load_answering(config, {.raw = false, .chat = true});
  auto* responder = dynamic_cast<TextResponder*>(answering.responder.get());
  require(responder != nullptr && responder->form().holds_conversations(), ErrorCode::kUsage,
          answering.loaded.directory.string(), ": a ", answering.loaded.model->facts().architecture,
          " holds no conversations");
  return {std::move(answering), *responder};
}

}  // namespace

GenerationPlan plan_chat(const JsonDocument& document) {
  const Partner partner = partner_of(document);
  return {plan_facts(partner.answering, "a conversation", "standard output"),
          partner.responder.notes()};
}

void run_chat(const JsonDocument& document, const ChatConsole& console) {
  const Partner partner = partner_of(document);
  Conversation conversation(partner.responder, console);
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
