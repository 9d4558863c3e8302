#include "base/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace llmctl {

ChildResult run_child(const std::vector<std::string>& argv, const std::vector<std::string>& unset) {
  std::vector<char*> arguments, environment;
  for (const std::string& word : argv) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  for (char** entry = environ; *entry; ++entry) {
    const bool left_out = std::any_of(unset.begin(), unset.end(), [&](const std::string& name) {
      return std::string_view(*entry).starts_with(name + "=");
    });
    if (!left_out) environment.push_back(*entry);
  }
  environment.push_back(nullptr);

  std::array<int, 2> ends{};
  require(::pipe2(ends.data(), O_CLOEXEC) == 0, ErrorCode::kTemporary, argv[0],
          ": no pipe: ", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int failure =
      ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failure != 0) {
    ::close(ends[0]);
    fail(ErrorCode::kTemporary, argv[0], ": cannot be started: ", std::strerror(failure));
  }
  ChildResult result;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t size = ::read(ends[0], buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    result.out.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

std::string own_program() {
  std::array<char, PATH_MAX + 1> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), PATH_MAX);
  require(size > 0, ErrorCode::kTemporary, "/proc/self/exe: ", std::strerror(errno));
  return {path.data(), static_cast<std::size_t>(size)};
}

void end_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace llmctl
