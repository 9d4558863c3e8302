#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/signals.h"

namespace llmctl {
namespace {

bool is_same_file(int fd, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::string content_of(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  return size <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace

FileLock::FileLock(std::filesystem::path path, const Held& held) : path_(std::move(path)) {
  for (;;) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    require(fd_ >= 0, ErrorCode::kCannotCreate, path_, ": ", std::strerror(errno));
    bool locked = flock(fd_, LOCK_EX | LOCK_NB) == 0;
    const bool busy = !locked && errno == EWOULDBLOCK;
    if (busy && held) {
      const std::string content = content_of(fd_);
      try {
        held(content);
      } catch (...) {
        close(fd_);
        throw;
      }
    }
    while (busy && !locked && stop_requested() == 0) {
      locked = flock(fd_, LOCK_EX) == 0;
      if (!locked && errno != EINTR) break;
    }
    mine_ = locked || !busy;  // asked to stop while another holds it: the file is that one's
    if (!locked || is_same_file(fd_, path_)) return;
    close(fd_);
  }
}

FileLock::~FileLock() {
  if (mine_) {
    unlink(path_.c_str());
    flock(fd_,
          LOCK_UN);  // a forked child may hold this descriptor too: closing alone frees nothing
  }
  close(fd_);
}

std::string FileLock::read() const {
  return content_of(fd_);
}

void FileLock::write(std::string_view content) {
  require(ftruncate(fd_, 0) == 0 && pwrite(fd_, content.data(), content.size(), 0) ==
                                        static_cast<ssize_t>(content.size()),
          ErrorCode::kCannotCreate, path_, ": ", std::strerror(errno));
}

}  // namespace llmctl
