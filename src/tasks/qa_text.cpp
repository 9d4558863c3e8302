#include "tasks/qa_text.h"

#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/white_space.h"
#include "io/text_source.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

enum class Mark { kContext, kQuestion, kAnswer };

constexpr std::pair<std::string_view, Mark> kMarks[] = {
    {"c", Mark::kContext},         {"context", Mark::kContext}, {"文", Mark::kContext},
    {"原文", Mark::kContext},      {"段落", Mark::kContext},    {"q", Mark::kQuestion},
    {"question", Mark::kQuestion}, {"问", Mark::kQuestion},     {"问题", Mark::kQuestion},
    {"a", Mark::kAnswer},          {"answer", Mark::kAnswer},   {"答", Mark::kAnswer},
    {"答案", Mark::kAnswer}};
constexpr std::array<std::string_view, 2> kColons = {":", "："};

/// A line's mark and what follows it; nothing for a line of text.
std::optional<std::pair<Mark, std::string>> marked(std::string_view line) {
  line = trim(line);
  for (const std::string_view colon : kColons) {
    const std::size_t at = line.find(colon);
    if (at == line.npos) continue;
    for (const auto& [name, mark] : kMarks) {
      if (equal_ignoring_case(line.substr(0, at), name))
        return std::pair(mark, std::string(trim(line.substr(at + colon.size()))));
    }
  }
  return std::nullopt;
}

/// Takes a file line by line.
class Reader {
 public:
  Reader(const std::filesystem::path& file, const std::function<void(QaTextPassage&)>& passage,
         BadRows& bad)
      : file_(file), use_(passage), bad_(bad) {}

  void line(std::uint64_t number, std::string_view text) {
    number_ = number;
    if (is_blank(text)) {
      behind_blank_ = true;
      // Blank lines within a passage part its paragraphs.
      if (!asked() && !now_.context.empty()) now_.context += '\n';
      return;
    }
    const auto found = marked(text);
    if (!found) {
      add_text(text);
    } else if (found->first == Mark::kContext) {
      finish();
      add_text(found->second);
    } else if (found->first == Mark::kQuestion) {
      end_question();
      if (!asked()) first_question_ = place();
      if (found->second.empty()) bad_.add(place() + ": the question is empty");
      question_ = {found->second, {}, place()};
      answers_ = 0;
    } else {
      add_answer(found->second);
    }
    behind_blank_ = false;
  }

  void finish() {
    end_question();
    while (now_.context.ends_with('\n')) now_.context.pop_back();
    if (asked() && now_.context.empty()) {
      bad_.add(first_question_ + ": a question without a passage before it");
    } else if (!asked() && !now_.context.empty()) {
      bad_.add(now_.place + ": a passage without a question (Q:)");
    } else if (!now_.questions.empty()) {
      use_(now_);
    }
    now_ = {};
    first_question_.clear();
  }

 private:
  std::string place() const { return concat(file_.string(), ":", number_); }
  /// Whether the passage has had a question.
  bool asked() const { return !first_question_.empty(); }

  void add_text(std::string_view text) {
    if (asked() && behind_blank_) finish();
    if (asked()) {
      bad_.add(place() +
               ": expected Q: or A:, got a line of text; questions and answers have one line each, "
               "and the next passage begins behind a blank line");
      return;
    }
    if (now_.context.empty()) {
      now_.place = place();
    } else {
      now_.context += '\n';
    }
    now_.context += text;
  }

  void add_answer(const std::string& text) {
    if (!question_) {
      bad_.add(place() + ": an answer without a question before it");
      return;
    }
    ++answers_;
    if (!text.empty()) question_->answers.push_back(text);
  }

  void end_question() {
    if (!question_) return;
    if (question_->question.empty()) {
      // Told already.
    } else if (answers_ > 0) {
      now_.questions.push_back(std::move(*question_));
    } else {
      bad_.add(question_->place +
               ": a question without an answer; write A: alone where the passage has none");
    }
    question_.reset();
  }

  const std::filesystem::path& file_;
  const std::function<void(QaTextPassage&)>& use_;
  BadRows& bad_;
  QaTextPassage now_;
  std::string first_question_;              // place of the passage's first; empty: none yet
  std::optional<QaTextQuestion> question_;  // the last one
  std::uint64_t number_ = 0;
  std::size_t answers_ = 0;  // lines of the last question
  bool behind_blank_ = false;
};

}  // namespace

void for_each_qa_passage(const std::filesystem::path& file,
                         const std::function<void(QaTextPassage&)>& passage, BadRows& bad) {
  Reader reader(file, passage, bad);
  for_each_checked_line(file, [&](std::uint64_t number, std::string_view line, const Error* error) {
    if (error != nullptr) {
      bad.add(error->what());
    } else {
      reader.line(number, line);
    }
    return true;
  });
  reader.finish();
}

}  // namespace llmctl
