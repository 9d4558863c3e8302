#include "runs/chat.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "config/fields.h"
#include "tasks/chat_prompt.h"
#include "tasks/text_answers.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

const std::vector<std::string> kChatCommands = {"/clear", "/exit", "/help",   "/quit",
                                                "/retry", "/save", "/system", "/undo"};
constexpr const char* kChatHelp =
    "/clear        begin a new conversation (the system message stays)\n"
    "/system TEXT  set the system message; without a text, show it; - removes it\n"
    "/undo         take back the last message and its answer\n"
    "/retry        answer the last message anew\n"
    "/save FILE    write the conversation as a line of JSON, for -f and for training\n"
    "/quit         end (also /exit, or the end of the input: Ctrl-D)\n"
    "/help         this list\n"
    "Ctrl-C ends an answer, or discards what is being typed. Any other line is a message; a\n"
    "backslash at its end continues it in the next line, and \"\"\" begins and ends a message of\n"
    "several lines.";
constexpr std::string_view kQuotes = "\"\"\"";

class Conversation {
 public:
  Conversation(TextResponder& responder, const ChatConsole& console, std::string system)
      : responder_(responder),
        console_(console),
        notes_(responder.notes()),
        given_system_(std::move(system)) {
    for (const std::string& note : notes_) console_.warn(note);
  }

  void say(const std::string& text) {
    messages_.push_back({{"role", "user"}, {"content", text}});
    answer();
  }

  /// Runs a command but for those that end the conversation.
  void obey(const std::string& line) {
    const std::size_t end = std::min(line.find_first_of(" \n\t"), line.size());
    const std::string command = line.substr(0, end), argument(trim(line.substr(end)));
    if (command == "/clear") {
      clear();
    } else if (command == "/system") {
      argument.empty() ? show_system() : set_system(argument == "-" ? "" : argument);
    } else if (command == "/undo") {
      if (!undo()) console_.warn("there is no message to take back");
    } else if (command == "/retry") {
      retry();
    } else if (command == "/save") {
      save(argument);
    } else if (command == "/help") {
      console_.tell(kChatHelp);
    } else {
      console_.warn(concat("unknown command ", command, did_you_mean(command, kChatCommands),
                           "; /help lists them; a space before it makes it a message"));
    }
  }

 private:
  AnswerInput input() const { return {{{"messages", messages_}}, "the conversation"}; }
  bool has_system() const { return !messages_.empty() && has_role(messages_.front(), "system"); }

  void answer() {
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

  /// Leaves out for good the oldest turns that no longer fit, and says so.
  void shorten() {
    const PromptCut cut = responder_.cut_of(input());
    if (!cut.any()) return;
    for (std::size_t i = 0; i < cut.turns; ++i) messages_ = without_oldest_exchange(messages_);
    console_.warn(concat("the conversation outgrew the ", responder_.prompt_room(),
                         " tokens that leave room for an answer: ", cut.text(false), " left out"));
  }

  void clear() { messages_ = has_system() ? Json::array({messages_.front()}) : Json::array(); }

  void show_system() {
    const std::string text =
        has_system() ? messages_.front()["content"].get<std::string>() : given_system_;
    console_.tell(text.empty() ? "there is no system message" : text);
  }

  void set_system(const std::string& text) {
    Json changed =
        text.empty() ? Json::array() : Json::array({{{"role", "system"}, {"content", text}}});
    for (std::size_t i = has_system() ? 1 : 0; i < messages_.size(); ++i)
      changed.push_back(messages_[i]);
    try {
      // A template that knows no system messages says so now, not with the next message.
      Json tried = changed;
      if (tried.empty() || !has_role(tried.back(), "user"))
        tried.push_back({{"role", "user"}, {"content", "a"}});
      responder_.cut_of({{{"messages", tried}}, "the conversation"});
      messages_ = std::move(changed);
    } catch (const Error& error) {
      console_.warn(error.what());
    }
  }

  /// Takes back the last answer and the message before it.
  bool undo() {
    const std::size_t kept = has_system() ? 1 : 0;
    if (messages_.size() <= kept) return false;
    if (has_role(messages_.back(), "assistant")) messages_.erase(messages_.size() - 1);
    if (messages_.size() > kept) messages_.erase(messages_.size() - 1);
    return true;
  }

  void retry() {
    if (messages_.empty() || !has_role(messages_.back(), "assistant"))
      return console_.warn("there is no answer to write anew");
    messages_.erase(messages_.size() - 1);
    answer();
  }

  void save(const std::string& file) {
    if (file.empty()) return console_.warn("/save needs the name of a file");
    Json messages = messages_;
    if (!has_system() && !given_system_.empty())
      messages.insert(messages.begin(), {{"role", "system"}, {"content", given_system_}});
    try {
      const std::filesystem::path path = expand_home(file);
      check_output_file(path, false);
      write_file(path, dump_json({{"messages", messages}}) + "\n");
      console_.tell(concat("saved to ", path.string()));
    } catch (const Error& error) {
      console_.warn(error.what());
    }
  }

  TextResponder& responder_;
  const ChatConsole& console_;
  const std::vector<std::string> notes_;  // on the settings
  const std::string given_system_;        // the configuration's
  Json messages_ = Json::array();
  std::size_t turn_ = 0;  // each answer draws for itself
};

/// Whether a line goes on in the next: a backslash at its end that no other one precedes.
bool goes_on(const std::string& line) {
  const std::size_t last = line.find_last_not_of('\\');
  return (line.size() - (last == line.npos ? 0 : last + 1)) % 2 == 1;
}

/// What a person says, of one or several lines.
struct Saying {
  std::string text;
  bool is_command = false;
};

/// The rest of a message that begins with the line; nothing where it is discarded.
std::optional<std::string> whole_message(const ChatConsole& console, std::string text) {
  const bool quoted = text.starts_with(kQuotes);
  if (quoted) text.erase(0, kQuotes.size());
  while (quoted ? !text.ends_with(kQuotes) : goes_on(text)) {
    const auto line = console.read(true);
    if (!line) break;
    if (line->discarded) return std::nullopt;
    if (!quoted) text.pop_back();
    text += "\n" + line->text;
  }
  if (!quoted) return text;
  if (text.ends_with(kQuotes)) text.resize(text.size() - kQuotes.size());
  // Marks may have lines of their own.
  if (text.starts_with('\n')) text.erase(0, 1);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// The next message or command; nothing at the end of the input.
std::optional<Saying> next_saying(const ChatConsole& console) {
  while (const auto line = console.read(false)) {
    if (line->discarded) continue;
    const auto text = whole_message(console, line->text);
    if (!text || text->empty()) continue;
    if (const auto bad = find_invalid_utf8(*text)) {
      console.warn(concat("the line is not UTF-8 at byte ", *bad, "; it is left out"));
      continue;
    }
    if (console.remember) console.remember(*text);
    return Saying{*text, line->text.starts_with("/")};
  }
  return std::nullopt;
}

/// Who holds the conversation that a configuration describes.
struct Partner {
  AnsweringModel answering;
  TextResponder& responder;
  std::string system;
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
  return {std::move(answering), *responder, config.chat.system};
}

}  // namespace

GenerationPlan plan_chat(const JsonDocument& document) {
  const Partner partner = partner_of(document);
  return {plan_facts(partner.answering, "a conversation", "standard output"),
          partner.responder.notes()};
}

void run_chat(const JsonDocument& document, const ChatConsole& console) {
  const Partner partner = partner_of(document);
  Conversation conversation(partner.responder, console, partner.system);
  while (const auto saying = next_saying(console)) {
    if (!saying->is_command) {
      conversation.say(saying->text);
    } else if (saying->text == "/quit" || saying->text == "/exit") {
      break;
    } else {
      conversation.obey(saying->text);
    }
  }
}

}  // namespace llmctl
