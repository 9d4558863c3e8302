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
  explicit LineReader(std::string prompt);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its end, which may be no UTF-8; nothing at the end of the input.
  std::optional<std::string> read();
  bool on_terminal() const { return terminal_; }

 private:
  class Editor;
  std::optional<std::string> read_plain();

  const std::string prompt_;
  const bool terminal_;
  std::string pending_;  // bytes behind the last line
  std::unique_ptr<Editor> editor_;
};

}  // namespace llmctl
