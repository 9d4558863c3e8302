// What a person typed in earlier conversations, kept in a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace llmctl {

/// Messages and commands of conversations on terminals, in `$XDG_STATE_HOME/llmctl/chat_history`
/// (`~/.local/state/…`), which only its owner may read. A file that cannot be read or written
/// costs the history alone. Several conversations may add to it side by side.
class ChatHistory {
 public:
  /// Reads what the file holds; none: nothing is kept.
  explicit ChatHistory(std::filesystem::path file);
  /// Where it stands by the environment; empty where that names no home.
  static std::filesystem::path default_file();

  /// The latest ones, oldest first.
  const std::vector<std::string>& entries() const { return entries_; }
  /// Adds a line to the file, unless it is the one before.
  void add(const std::string& text);

 private:
  std::filesystem::path file_;
  std::vector<std::string> entries_;
};

}  // namespace llmctl
