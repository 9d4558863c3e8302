#include "base/signals.h"

#include <unistd.h>
#include <csignal>

namespace llmctl {
namespace {

volatile std::sig_atomic_t stop_signal = 0;

void on_stop(int signal) {
  if (stop_signal != 0) ::_exit(128 + signal);
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

int stop_requested() noexcept {
  return stop_signal;
}

}  // namespace llmctl
