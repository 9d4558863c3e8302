#include "support/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace llmctl::test {

Terminal::Terminal(const std::vector<std::string>& argv, const std::filesystem::path& directory,
                   const std::map<std::string, std::string>& env) {
  fd_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd_ < 0 || ::grantpt(fd_) != 0 || ::unlockpt(fd_) != 0)
    throw std::runtime_error("no pseudo terminal");
  const std::string name = ::ptsname(fd_);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::setsid();
    const int end = ::open(name.c_str(), O_RDWR);  // becomes the controlling terminal
    winsize size = {};
    size.ws_row = 24;
    size.ws_col = 80;
    ::ioctl(end, TIOCSWINSZ, &size);
    for (int fd = 0; fd < 3; ++fd) ::dup2(end, fd);
    for (const auto& [variable, value] : env) ::setenv(variable.c_str(), value.c_str(), 1);
    if (::chdir(directory.c_str()) != 0) ::_exit(99);
    ::execv(words[0], words.data());
    ::_exit(98);
  }
}

Terminal::~Terminal() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (fd_ >= 0) ::close(fd_);
}

void Terminal::type(const std::string& keys) {
  if (::write(fd_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
    throw std::runtime_error("the terminal takes no keys");
}

bool Terminal::read_more() {
  pollfd input = {fd_, POLLIN, 0};
  if (::poll(&input, 1, 60'000) <= 0) return false;
  char buffer[4096];
  const ssize_t got = ::read(fd_, buffer, sizeof buffer);
  if (got <= 0) return false;  // EIO: nobody is there any more
  output_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

bool Terminal::shows(const std::string& text) {
  while (true) {
    if (const std::size_t at = output_.find(text, seen_); at != output_.npos) {
      seen_ = at + text.size();
      return true;
    }
    if (!read_more()) return false;
  }
}

int Terminal::finish() {
  while (read_more()) {
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace llmctl::test
