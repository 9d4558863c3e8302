// SIGINT and SIGTERM end the process, or where work must be brought to an end first ask for that.
#pragma once

#include <string>

#include "base/error.h"

namespace llmctl {

/// Installs the handlers for SIGINT and SIGTERM (a blocking read of theirs ends with EINTR), and
/// ignores SIGPIPE and SIGXFSZ, so that writing reports the error. Idempotent.
///
/// A signal ends the process at once with status 130 or 143, its temporary files and directories
/// removed: everything is written so that this harms nothing. Where a GracefulStop is, the first
/// signal is only noted, and a second one ends the process so.
void install_signal_handlers();

/// While one exists, a first signal is noted for stop_requested() instead of ending the process.
/// The work inside asks often.
class GracefulStop {
 public:
  GracefulStop() noexcept;
  GracefulStop(const GracefulStop&) = delete;
  GracefulStop& operator=(const GracefulStop&) = delete;
  ~GracefulStop();
};

/// Thrown where work stops because a signal asked for it; the process then ends with exit_status().
class Interrupted : public Error {
 public:
  Interrupted(int signal, const std::string& message)
      : Error(ErrorCode::kTemporary, message), signal_(signal) {}
  int signal() const noexcept { return signal_; }

 private:
  int signal_;
};

/// The signal that asked for a stop (SIGINT or SIGTERM), or 0.
int stop_requested() noexcept;

/// Throws Interrupted when a signal asked for a stop; `hint` says how the work goes on.
void stop_if_asked(const char* hint = "");

/// The signal has been dealt with: the program goes on (a chat, whose answer alone was to end).
void forget_stop() noexcept;

}  // namespace llmctl
