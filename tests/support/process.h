// Runs a program as a user's shell would and reports all that it did; signals and resource limits
// on request.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace llmctl::test {

/// A signal sent once to the running program, as soon as `when` holds.
struct PlannedSignal {
  /// What the program has written so far to stdout and stderr, and the seconds since its start.
  using Condition =
      std::function<bool(const std::string& out, const std::string& err, double seconds)>;
  int signal = SIGTERM;
  Condition when;
};

PlannedSignal signal_after(int signal, double seconds);
/// As soon as `text` has appeared in stdout or stderr.
PlannedSignal signal_when_printed(int signal, std::string text);
/// As soon as `path` exists (a dangling symbolic link does not).
PlannedSignal signal_when_exists(int signal, std::filesystem::path path);

struct ProcessOptions {
  std::string input;                       ///< bytes for stdin, which is closed after them
  std::map<std::string, std::string> env;  ///< added to this process's environment
  std::vector<std::string> unset;          ///< names removed from the environment
  std::filesystem::path directory;         ///< working directory; empty: this process's
  bool exec = false;                       ///< of run_llmctl(): the binary itself
  /// Runs in the forked process instead of argv's program, which spares the loading of libraries
  /// that this process has; its result is the exit status.
  std::function<int()> body;
  double timeout_seconds = 120;  ///< afterwards the program and its children get SIGKILL
  std::vector<PlannedSignal> signals;
  /// Resource and value for setrlimit: {RLIMIT_FSIZE, 1 << 20}, {RLIMIT_AS, …}, {RLIMIT_NOFILE, …}.
  std::vector<std::pair<int, std::uint64_t>> limits;
};

struct ProcessResult {
  int status = -1;         ///< exit status; -1 when a signal ended the program
  int signal = 0;          ///< the signal that ended it; 0 when it exited
  bool timed_out = false;  ///< killed because of timeout_seconds
  std::string out, err;
  double seconds = 0;               ///< wall time
  std::uint64_t max_rss_bytes = 0;  ///< not below what this process held when it forked

  /// Everything, for the message of a failed assertion.
  std::string describe() const;
};

/// Runs argv[0] (looked up in PATH when it has no slash) and waits for its end. Throws
/// std::runtime_error when it cannot be started.
ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

}  // namespace llmctl::test
