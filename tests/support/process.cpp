#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace llmctl::test {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  int end(int index) const { return ends_[static_cast<std::size_t>(index)]; }
  void close_end(int index) {
    int& fd = ends_[static_cast<std::size_t>(index)];
    if (fd >= 0) close(fd);
    fd = -1;
  }
  void set_nonblocking(int index) const { fcntl(end(index), F_SETFL, O_NONBLOCK); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> make_environment(const ProcessOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& name : options.unset) variables.erase(name);
  for (const auto& [name, value] : options.env) variables[name] = value;
  std::vector<std::string> entries;
  for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// What a new process is to be.
struct Start {
  std::vector<char*> argv, env;
  std::vector<std::pair<int, rlimit>> limits;
  const char* directory = nullptr;  // null: this process's
};

// The forked process's own streams, signals, limits and directory; false (with errno) where that
// fails. Only async-signal-safe calls: the parent may have threads.
bool prepare(const Start& start, std::array<int, 3> streams) {
  setpgid(0, 0);
  for (int fd = 0; fd < 3; ++fd) dup2(streams[static_cast<std::size_t>(fd)], fd);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGXFSZ}) std::signal(number, SIG_DFL);
  bool good = start.directory == nullptr || chdir(start.directory) == 0;
  for (const auto& [resource, limit] : start.limits) {
    good = good && setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
  }
  return good;
}

[[noreturn]] void give_up(int error_fd) {
  const int error = errno;
  [[maybe_unused]] const auto written = write(error_fd, &error, sizeof error);
  _exit(127);
}

// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(count));
    } else {
      return count < 0 && (errno == EAGAIN || errno == EINTR);
    }
  }
}

}  // namespace

PlannedSignal signal_after(int signal, double seconds) {
  return {signal, [seconds](const std::string&, const std::string&, double elapsed) {
            return elapsed >= seconds;
          }};
}

PlannedSignal signal_when_printed(int signal, std::string text) {
  return {signal, [text = std::move(text)](const std::string& out, const std::string& err, double) {
            return out.find(text) != std::string::npos || err.find(text) != std::string::npos;
          }};
}

PlannedSignal signal_when_exists(int signal, fs::path path) {
  return {signal, [path = std::move(path)](const std::string&, const std::string&, double) {
            std::error_code ignored;
            return fs::exists(path, ignored);
          }};
}

std::string ProcessResult::describe() const {
  std::ostringstream text;
  text << "exit status " << status;
  if (signal != 0) text << ", signal " << signal << " (" << strsignal(signal) << ")";
  if (timed_out) text << ", timed out";
  text << ", " << seconds << " s\n--- stdout\n" << out << "\n--- stderr\n" << err << "\n---";
  return text.str();
}

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  if (argv.empty()) throw std::runtime_error("run_process: no program given");
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = make_environment(options);
  const std::string directory = options.directory.string();
  Start plan{pointers(arguments), pointers(environment), {}, nullptr};
  if (!directory.empty()) plan.directory = directory.c_str();
  for (const auto& [resource, value] : options.limits) {
    plan.limits.push_back({resource, rlimit{value, value}});
  }
  std::signal(SIGPIPE, SIG_IGN);  // a program that does not read its stdin is no error here

  Pipe in, out, err, failure;
  const auto start = Clock::now();
  std::fflush(nullptr);  // else a body would write this process's buffers once more
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    if (!prepare(plan, {in.end(0), out.end(1), err.end(1)})) give_up(failure.end(1));
    environ = plan.env.data();
    if (options.body) {
      for (Pipe* pipe : {&in, &out, &err, &failure}) {
        pipe->close_end(0);
        pipe->close_end(1);
      }
      const int status = options.body();
#ifdef __SANITIZE_ADDRESS__
      std::exit(status);  // looks for leaks
#else
      std::fflush(nullptr);
      _exit(status);  // without the destructors of libraries, which take longer than most commands
#endif
    }
    execvp(plan.argv[0], plan.argv.data());
    give_up(failure.end(1));
  }
  setpgid(child, child);
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  failure.close_end(1);
  int error = 0;
  if (read(failure.end(0), &error, sizeof error) == sizeof error) {
    waitpid(child, nullptr, 0);
    throw std::runtime_error("cannot run " + argv[0] + ": " + std::strerror(error));
  }
  in.set_nonblocking(1);
  out.set_nonblocking(0);
  err.set_nonblocking(0);

  ProcessResult result;
  std::size_t sent = 0;
  std::vector<bool> fired(options.signals.size(), false);
  int wait_status = 0;
  rusage usage{};
  while (true) {
    if (in.end(1) >= 0) {
      const ssize_t count =
          sent < options.input.size()
              ? write(in.end(1), options.input.data() + sent, options.input.size() - sent)
              : 0;
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (sent == options.input.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        in.close_end(1);
      }
    }
    // Reaped before the last drain: nothing that the program wrote is missed, and a grandchild that
    // keeps the pipes open does not keep us.
    const bool ended = wait4(child, &wait_status, WNOHANG, &usage) == child;
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const bool out_open = out.end(0) >= 0 && drain(out.end(0), result.out);
    const bool err_open = err.end(0) >= 0 && drain(err.end(0), result.err);
    if (ended) break;
    if (!out_open) out.close_end(0);
    if (!err_open) err.close_end(0);
    for (std::size_t i = 0; i < options.signals.size(); ++i) {
      const auto& planned = options.signals[i];
      if (!fired[i] && planned.when(result.out, result.err, result.seconds)) {
        fired[i] = true;
        kill(child, planned.signal);
      }
    }
    if (!result.timed_out && result.seconds > options.timeout_seconds) {
      result.timed_out = true;
      kill(-child, SIGKILL);
    }
    std::array<pollfd, 3> waiting{pollfd{out.end(0), POLLIN, 0}, pollfd{err.end(0), POLLIN, 0},
                                  pollfd{in.end(1), POLLOUT, 0}};
    poll(waiting.data(), waiting.size(), 5);
  }
  if (WIFEXITED(wait_status)) result.status = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) result.signal = WTERMSIG(wait_status);
  result.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return result;
}

}  // namespace llmctl::test
