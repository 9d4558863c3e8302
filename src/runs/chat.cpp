#include "runs/chat.h"

#include <istream>

#include "base/error.h"
#include "base/utf8.h"
#include "runs/generation.h"

namespace llmctl {
namespace {

class Conversation {
 public:
  Conversation(Answerer& answerer, const ChatConsole& console)
      : answerer_(answerer), console_(console) {}

  void say(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    shorten();
    const Json input = {{"messages", messages_}};
    const Json answer = answerer_.answer(std::span(&input, 1), turn_++, console_.piece).front();
    messages_.push_back({{"role", "assistant"}, {"content", answer["generated_text"]}});
    console_.answer({{"role", "assistant"},
                     {"content", answer["generated_text"]},
                     {"finish_reason", answer["finish_reason"]}});
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
      console_.note(concat("the conversation outgrew the model's ", answerer_.prompt_limit(),
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
  if (root_node(document).has("generation")) {
    read_generation(root_node(document).child("generation"));
  }
  require(config.input.prompt.empty() && config.input.file.empty() && config.input.question.empty(),
          ErrorCode::kUsage, "a conversation takes its lines from the terminal or standard input");
  const Compute compute =
      assemble_compute(config.compute.device, config.compute.precision, config.compute.threads);
  Answerer answerer(config.model.init_from, compute,
                    {config.generation, config.top, config.input.sequence_length, false, true,
                     config.chat.chat_template, config.chat.system});
  answerer.require_conversations();
  if (answerer.answers_by_task() && !config.generation.contains("too_long")) {
    Json generation = config.generation;
    generation["too_long"] = "truncate";  // a conversation grows until its beginning is left out
    answerer.configure(generation);
  }
  for (const std::string& note : answerer.generation().notes) console.note(note);
  Conversation conversation(answerer, console);
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
