#include "base/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "base/temporaries.h"

namespace llmctl {
namespace {

std::atomic<int> stop_signal{0}, graceful{0};
static_assert(std::atomic<int>::is_always_lock_free);

[[noreturn]] void end_now(int signal) {
  remove_temporaries();
  const char* const text = signal == SIGINT ? "llmctl: error: interrupted by SIGINT\n"
                                            : "llmctl: error: interrupted by SIGTERM\n";
  if (::isatty(STDERR_FILENO) == 1) (void)!::write(STDERR_FILENO, "\n", 1);  // behind "^C"
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
  ::_exit(128 + signal);
}

void on_stop(int signal) {
  if (graceful == 0 || stop_signal != 0) end_now(signal);
  stop_signal = signal;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_stop;  // without SA_RESTART: a wait for the user's input ends
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;  // write() then reports EPIPE, or EFBIG beyond `ulimit -f`
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
}

GracefulStop::GracefulStop() noexcept {
  ++graceful;
}

GracefulStop::~GracefulStop() {
  --graceful;
}

int stop_requested() noexcept {
  return stop_signal;
}

void stop_if_asked(const char* hint) {
  const int signal = stop_signal;
  if (signal == 0) return;
  throw Interrupted(signal, concat("interrupted by ", signal == SIGINT ? "SIGINT" : "SIGTERM",
                                   *hint == '\0' ? "" : "; ", hint));
}

void forget_stop() noexcept {
  stop_signal = 0;
}

}  // namespace llmctl
