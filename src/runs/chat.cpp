#include "runs/chat.h"

#include <istream>

#include "base/error.h"
#include "base/utf8.h"
#include "runs/generation.h"
#include "tasks/text_answers.h"

namespace llmctl {
namespace {

class Conversation {
 public:
  Conversation(TextResponder& responder, const ChatConsole& console)
      : responder_(responder), console_(console) {}

  void say(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    shorten();
    const AnswerInput input = this->input();
    const AnswerList answers = responder_.answer(std::span(&input, 1), turn_++, console_.piece);
    const GeneratedText& answer =
        dynamic_cast<const TextAnswer&>(*answers.front()).samples().front();
    messages_.push_back({{"role", "assistant"}, {"content", answer.text}});
    console_.answer(
        {{"role", "assistant"}, {"content", answer.text}, {"finish_reason", answer.finish_reason}});
  }

  void reset() { messages_ = Json::array(); }

 private:
  AnswerInput input() const { return {{{"messages", messages_}}, "the conversation"}; }

  /// Leaves the oldest turns out until the prompt fits, where its form does not do so by itself.
  void shorten() {
    if (responder_.form().shortens()) return;
    std::size_t dropped = 0;
    while (messages_.size() > 1 && responder_.prompt_tokens(input()) > responder_.prompt_limit()) {
      messages_.erase(messages_.begin(), messages_.begin() + 2);
      ++dropped;
    }
    if (dropped > 0) {
      console_.note(concat("the conversation outgrew the model's ", responder_.prompt_limit(),
                           " tokens: its ", dropped, " oldest turn", dropped > 1 ? "s" : "",
                           " left out"));
    }
  }

  TextResponder& responder_;
  const ChatConsole& console_;
  Json messages_ = Json::array();
  std::size_t turn_ = 0;  // each answer draws for itself
};

}  // namespace

void run_chat(const JsonDocument& document, const ChatConsole& console) {
  const GenerateConfig config = read_generate_config(document);
  require(config.input.prompt.empty() && config.input.file.empty() && config.input.question.empty(),
          ErrorCode::kUsage, "a conversation takes its lines from the terminal or standard input");
  AnsweringModel answering = load_answering(config, {.raw = false, .chat = true});
  auto* responder = dynamic_cast<TextResponder*>(answering.responder.get());
  require(responder != nullptr && responder->form().holds_conversations(), ErrorCode::kUsage,
          answering.loaded.directory.string(), ": a ", answering.loaded.model->facts().architecture,
          " holds no conversations");
  for (const std::string& note : responder->notes()) console.note(note);
  Conversation conversation(*responder, console);
  console.ask();
  for (std::string line; std::getline(console.in, line); console.ask()) {
    if (line.ends_with('\r')) line.pop_back();
    if (line == "/quit" || line == "/exit") break;
    if (line == "/reset") {
      conversation.reset();
      continue;
    }
    if (line.empty()) continue;
    if (const auto bad = find_invalid_utf8(line)) {
      fail(ErrorCode::kData, "the line is not UTF-8 at byte ", *bad);
    }
    conversation.say(line);
  }
}

}  // namespace llmctl
