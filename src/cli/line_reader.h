// The lines that a person types in a conversation.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace llmctl {

/// Reads lines of standard input. On a terminal with a prompt, and with editing and a history where
/// the build has libedit; Ctrl-C then discards the line that is being typed. Elsewhere a signal
/// ends the program, or where a GracefulStop is, read() by Interrupted.
class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  struct Line {
    std::string text;  ///< without its end; may be no UTF-8
    bool discarded = false;
  };

  /// The next line behind the prompt; nothing at the end of the input. After Ctrl-C the next one is
  /// read, unless `tells` asks to be told of the one that is gone.
  std::optional<Line> read(const std::string& prompt, bool tells = false);
  /// Puts an earlier input where the arrow keys find it.
  void remember(const std::string& text);
  bool on_terminal() const { return terminal_; }

 private:
  class Editor;
  std::optional<Line> read_plain(const std::string& prompt, bool tells);

  const bool terminal_;
  std::string pending_;  // bytes behind the last line
  std::unique_ptr<Editor> editor_;
};

}  // namespace llmctl
