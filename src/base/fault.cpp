#include "base/fault.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

/// Appends the line to the trace's file, past the layer that is looked at.
void trace(const std::function<std::string()>& line) {
  const char* setting = std::getenv("LLMCTL_FAULT");
  if (setting == nullptr) return;
  const std::string_view text = setting;
  constexpr std::string_view kTrace = "trace:";
  if (!text.starts_with(kTrace)) return;
  std::ofstream(std::string(text.substr(kTrace.size())), std::ios::app) << line() << "\n";
}

/// Absolute, without links on the way; a link at its end stays one.
std::string absolute_name(const fs::path& path) {
  const fs::path whole = fs::absolute(path);
  return (fs::weakly_canonical(whole.parent_path()) / whole.filename()).string();
}

}  // namespace

void trace_sync(int fd) {
  trace([&] {
    std::error_code error;
    return concat("sync ", fs::read_symlink(concat("/proc/self/fd/", fd), error).string());
  });
}

void trace_rename(const fs::path& from, const fs::path& to) {
  trace([&] { return concat("rename ", absolute_name(from), "\t", absolute_name(to)); });
}

void fault_point(const char* name) {
  const char* setting = std::getenv("LLMCTL_FAULT");
  if (setting == nullptr) return;
  const std::string_view text = setting;
  const std::size_t colon = text.find(':');
  if (text.substr(0, colon) != name) return;
  char* end = nullptr;
  const long wanted = colon == text.npos ? 1 : std::strtol(setting + colon + 1, &end, 10);
  const std::string_view how = end == nullptr ? "" : end;
  static std::atomic<long> passages{0};
  const long passage = ++passages;
  if (how.empty() && passage >= wanted) ::kill(::getpid(), SIGKILL);
  if (how == "/INT" && passage == wanted) ::raise(SIGINT);
  if (how == "/TERM" && passage == wanted) ::raise(SIGTERM);
}

}  // namespace llmctl
