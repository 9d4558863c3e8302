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
  const long wanted = colon == text.npos ? 1 : std::atol(setting + colon + 1);
  static std::atomic<long> passages{0};
  if (++passages >= wanted) ::kill(::getpid(), SIGKILL);
}

}  // namespace llmctl
