// Runs a piece of code in a forked process: for what ends a process, changes it for good, or needs
// a terminal.
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/error.h"

namespace llmctl::test {

struct ChildResult {
  int status = -1;  ///< exit status: 0, or that of an Error (what() is then in `err`); -1: a signal
  int signal = 0;   ///< that ended it
  std::string err;  ///< all of its stderr
};

/// What stands behind the child's stderr.
enum class ChildStderr { kPipe, kTerminal };

inline ChildResult run_child(const std::function<void()>& body,
                             ChildStderr kind = ChildStderr::kPipe, int columns = 80) {
  int reader = -1, writer = -1;
  if (kind == ChildStderr::kPipe) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    reader = ends[0];
    writer = ends[1];
  } else {
    reader = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (reader < 0 || ::grantpt(reader) != 0 || ::unlockpt(reader) != 0) {
      throw std::runtime_error("no pseudo terminal");
    }
    writer = ::open(::ptsname(reader), O_RDWR | O_NOCTTY | O_CLOEXEC);
    winsize size = {};
    size.ws_row = 24;
    size.ws_col = static_cast<unsigned short>(columns);
    ::ioctl(writer, TIOCSWINSZ, &size);
  }
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    ::dup2(writer, STDERR_FILENO);
    int status = 0;
    try {
      body();
    } catch (const Error& error) {
      (void)!::write(STDERR_FILENO, error.what(), std::char_traits<char>::length(error.what()));
      status = error.exit_status();
    } catch (const std::exception& error) {
      (void)!::write(STDERR_FILENO, error.what(), std::char_traits<char>::length(error.what()));
      status = 1;
    }
    ::_exit(status);
  }
  ::close(writer);
  ChildResult result;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(reader, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // a terminal whose other side is closed says EIO
    result.err.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(reader);
  int state = 0;
  while (::waitpid(pid, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(state)) result.status = WEXITSTATUS(state);
  if (WIFSIGNALED(state)) result.signal = WTERMSIG(state);
  return result;
}

/// What became of a child that returns `body`'s status: its exit status, or 1000 + the signal that
/// ended it.
inline int in_child(const std::function<int()>& body) {
  const ChildResult result = run_child([&] { ::_exit(body()); });
  return result.signal != 0 ? 1000 + result.signal : result.status;
}

}  // namespace llmctl::test
