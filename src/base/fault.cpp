#include "base/fault.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace llmctl {

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
