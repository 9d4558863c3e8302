#include "cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "base/utf8.h"

#ifdef LLMCTL_WITH_EDIT
#include <histedit.h>
#endif

namespace llmctl {
namespace {

/// Bytes read, 0 at the end of the input, -1 when a signal asked for a stop meanwhile. A signal may
/// come to any thread, so the wait is cut into pieces.
ssize_t read_some(char* data, std::size_t size) {
  while (true) {
    if (stop_requested() != 0) return -1;
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, 200);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t got = ::read(STDIN_FILENO, data, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    return std::max<ssize_t>(got, 0);  // a terminal that is gone says EIO
  }
}

/// After a stop at a prompt: Ctrl-C has done its work by discarding the line.
void line_interrupted() {
  if (stop_requested() != SIGINT) stop_if_asked();
  forget_stop();
  write_stdout("\n");
}

}  // namespace

#ifdef LLMCTL_WITH_EDIT

/// libedit with Emacs keys and a history.
class LineReader::Editor {
 public:
  Editor() {
    // It measures and shows characters by the locale; our text is UTF-8 whatever that says.
    std::setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    edit_ = el_init("llmctl", stdin, stdout, stderr);
    history_ = history_init();
    if (edit_ == nullptr || history_ == nullptr) return;
    HistEvent event;
    history(history_, &event, H_SETSIZE, 1000);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(edit_, EL_CLIENTDATA, this);
    el_set(edit_, EL_PROMPT, &Editor::prompt_of);
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_SIGNAL, 0);
    el_set(edit_, EL_HIST, history, history_);
    el_wset(edit_, EL_GETCFN, &Editor::next_character);
  }
  ~Editor() {
    if (edit_ != nullptr) el_end(edit_);
    if (history_ != nullptr) history_end(history_);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;
  bool works() const { return edit_ != nullptr && history_ != nullptr; }

  void remember(const std::string& text) {
    HistEvent event;
    history(history_, &event, H_ENTER, text.c_str());
  }

  std::optional<Line> read(const std::string& prompt, bool tells) {
    prompt_ = prompt;
    const GracefulStop graceful;
    while (true) {
      invalid_ = false;
      // The prompt appears in the mode that reads what is typed behind it: el_gets would show it
      // first, and a Ctrl-D in between would end the input of the cooked terminal, not of ours.
      el_set(edit_, EL_PREP_TERM, 1);
      int count = 0;
      const char* const text = el_gets(edit_, &count);
      if (stop_requested() != 0) {
        line_interrupted();
        el_reset(edit_);
        if (tells) return Line{"", true};
        continue;
      }
      if (text == nullptr || count <= 0) {
        write_stdout("\n");  // behind the prompt that Ctrl-D ended
        return std::nullopt;
      }
      std::string line(text, static_cast<std::size_t>(count));
      if (line.ends_with('\n')) line.pop_back();
      if (invalid_) line += '\xff';
      return Line{line};
    }
  }

 private:
  static Editor& self(EditLine* edit) {
    void* data = nullptr;
    el_get(edit, EL_CLIENTDATA, &data);
    return *static_cast<Editor*>(data);
  }
  static char* prompt_of(EditLine* edit) { return self(edit).prompt_.data(); }

  /// One character of UTF-8; what is none becomes U+FFFD and is remembered.
  static int next_character(EditLine* edit, wchar_t* out) {
    std::string bytes;
    char byte = 0;
    do {
      const ssize_t got = read_some(&byte, 1);
      if (got <= 0) return static_cast<int>(got);
      // A Ctrl-D typed ahead, while the terminal was cooked, is kept by it as NUL.
      bytes += byte == '\0' ? '\x04' : byte;
    } while (bytes.size() < 4 && incomplete_utf8(bytes));
    std::size_t offset = 0;
    *out = static_cast<wchar_t>(next_code_point(bytes, offset));
    if (find_invalid_utf8(bytes)) self(edit).invalid_ = true;
    return 1;
  }

  /// True for the beginning of a character.
  static bool incomplete_utf8(const std::string& bytes) {
    const auto lead = static_cast<unsigned char>(bytes[0]);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
    return bytes.size() < length && (static_cast<unsigned char>(bytes.back()) & 0xC0) != 0x00 &&
           (bytes.size() == 1 || (static_cast<unsigned char>(bytes.back()) & 0xC0) == 0x80);
  }

  std::string prompt_;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
  bool invalid_ = false;
};

#else

class LineReader::Editor {
 public:
  bool works() const { return false; }
  void remember(const std::string&) {}
  std::optional<Line> read(const std::string&, bool) { return std::nullopt; }
};

#endif

LineReader::LineReader() : terminal_(is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO)) {
  const char* const term = std::getenv("TERM");
  const bool plain = term == nullptr || *term == '\0' || std::strcmp(term, "dumb") == 0;
  if (!terminal_ || plain) return;
  editor_ = std::make_unique<Editor>();
  if (!editor_->works()) editor_.reset();
}

LineReader::~LineReader() = default;

std::optional<LineReader::Line> LineReader::read(const std::string& prompt, bool tells) {
  return editor_ ? editor_->read(prompt, tells) : read_plain(prompt, tells);
}

void LineReader::remember(const std::string& text) {
  if (editor_) editor_->remember(text);
}

std::optional<LineReader::Line> LineReader::read_plain(const std::string& prompt, bool tells) {
  std::optional<GracefulStop> graceful;
  if (terminal_) {
    graceful.emplace();
    write_stdout(prompt);
  }
  while (true) {
    if (const std::size_t end = pending_.find('\n'); end != pending_.npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return Line{line};
    }
    char buffer[4096];
    const ssize_t got = read_some(buffer, sizeof buffer);
    if (got > 0) {
      pending_.append(buffer, static_cast<std::size_t>(got));
      continue;
    }
    if (got < 0) {
      if (!terminal_) stop_if_asked();
      line_interrupted();
      pending_.clear();
      if (tells) return Line{"", true};
      write_stdout(prompt);
      continue;
    }
    if (terminal_) write_stdout("\n");
    if (pending_.empty()) return std::nullopt;
    return Line{std::exchange(pending_, {})};
  }
}

}  // namespace llmctl
