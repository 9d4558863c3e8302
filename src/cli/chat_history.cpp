#include "cli/chat_history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"
#include "config/json.h"

namespace llmctl {
namespace {

constexpr std::size_t kMost = 1000;

/// An entry as a line of the file: a JSON string, so that messages of several lines are one.
std::string line_of(const std::string& text) {
  return dump_json(Json(text)) + "\n";
}

/// Opens for appending, readable by nobody else.
int open_private(const std::filesystem::path& file, int flags) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0600);
  if (fd >= 0) ::fchmod(fd, 0600);
  return fd;
}

void write_and_close(int fd, const std::string& text) {
  // One call, so that lines of several conversations do not mix; what fails is not kept.
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
}

}  // namespace

std::filesystem::path ChatHistory::default_file() {
  const auto named = [](const char* variable) {
    const char* const value = std::getenv(variable);
    return std::filesystem::path(value ? value : "");
  };
  std::filesystem::path state = named("XDG_STATE_HOME");
  if (!state.is_absolute()) {  // as the specification has it
    const std::filesystem::path home = named("HOME");
    if (!home.is_absolute()) return {};
    state = home / ".local/state";
  }
  return state / "llmctl/chat_history";
}

ChatHistory::ChatHistory(std::filesystem::path file) : file_(std::move(file)) {
  if (file_.empty()) return;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file_, error)) return;
  std::size_t lines = 0;
  try {
    for_each_line(file_, [&](std::uint64_t, std::string_view line) {
      ++lines;
      const Json entry = Json::parse(line, nullptr, false);
      if (entry.is_string()) entries_.push_back(entry.get<std::string>());
      return true;
    });
  } catch (const Error&) {
    return;
  }
  if (entries_.size() > kMost)
    entries_.erase(entries_.begin(), entries_.end() - static_cast<std::ptrdiff_t>(kMost));
  if (lines < 2 * kMost) return;
  std::string kept;
  for (const std::string& entry : entries_) kept += line_of(entry);
  const std::filesystem::path shorter = file_.string() + concat(".", ::getpid());
  const int fd = open_private(shorter, O_EXCL);
  if (fd < 0) return;
  write_and_close(fd, kept);
  std::filesystem::rename(shorter, file_, error);
}

void ChatHistory::add(const std::string& text) {
  if (file_.empty() || find_invalid_utf8(text)) return;
  if (!entries_.empty() && entries_.back() == text) return;
  entries_.push_back(text);
  std::error_code error;
  if (std::filesystem::create_directories(file_.parent_path(), error))
    std::filesystem::permissions(file_.parent_path(), std::filesystem::perms::owner_all, error);
  if (const int fd = open_private(file_, 0); fd >= 0) write_and_close(fd, line_of(text));
}

}  // namespace llmctl
