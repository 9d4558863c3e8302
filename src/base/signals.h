// SIGINT and SIGTERM ask for a stop after the current step; a second one ends the process at once.
#pragma once

namespace llmctl {

/// Installs the handlers for SIGINT and SIGTERM (a blocking read of theirs ends with EINTR), and
/// ignores SIGPIPE and SIGXFSZ, so that writing reports the error. Idempotent.
void install_signal_handlers();

/// The signal that asked for a stop (SIGINT or SIGTERM), or 0.
int stop_requested() noexcept;

}  // namespace llmctl
