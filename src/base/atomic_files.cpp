// The writing half of files.h.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/temporaries.h"

namespace llmctl {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20;

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT;
}

std::string reason(int error) {
  return is_full(error) ? concat("disk full (", std::strerror(error), ")") : std::strerror(error);
}

[[noreturn]] void fail_write(const fs::path& path, int error) {
  fail(ErrorCode::kIo, path, ": writing failed: ", reason(error));
}

[[noreturn]] void fail_create(const fs::path& path, int error) {
  const bool broken = is_full(error) || error == EIO;
  fail(broken ? ErrorCode::kIo : ErrorCode::kCannotCreate, path,
       ": cannot be created: ", error == ENOENT ? "its directory does not exist" : reason(error));
}

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

void write_all(int fd, const char* data, std::size_t size, const fs::path& path) {
  while (size > 0) {
    fault_point("write");
    const ssize_t done = ::write(fd, data, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_write(path, errno);
    data += done;
    size -= static_cast<std::size_t>(done);
  }
}

/// fsync; 0 or errno. File systems that cannot sync a kind of file say EINVAL: nothing to wait for.
int sync(int fd) {
  fault_point("fsync");
  while (::fsync(fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP) break;
    return errno;
  }
  trace_sync(fd);
  return 0;
}

void sync_path(const fs::path& path) {
  const int fd = open_retrying(path, O_RDONLY);
  if (fd < 0) return;  // no right to read it: then there is no way to sync it either
  const int error = sync(fd);
  ::close(fd);
  if (error != 0) fail_write(path, error);
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

void rename_synced(const fs::path& from, const fs::path& to) {
  fault_point("rename");
  if (::rename(from.c_str(), to.c_str()) != 0) fail_create(to, errno);
  trace_rename(from, to);
  sync_path(parent_of(to));
}

void replace_directory(const fs::path& fresh, const fs::path& path) {
  fault_point("rename");
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    trace_rename(fresh, path);
    sync_path(parent_of(path));
  } else {
    const fs::path old = claim_temporary(path);
    if (::rename(path.c_str(), old.c_str()) != 0) {
      const int error = errno;
      release_temporary(old);
      fail_create(path, error);
    }
    rename_synced(fresh, path);
    release_temporary(old);
    fs::remove_all(old);
    return;
  }
  fs::remove_all(fresh);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  struct stat status = {};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail_create(path_, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    fd_ = open_retrying(path_, O_WRONLY);  // neither created nor cut
    if (fd_ < 0) fail_create(path_, errno);
    return;
  }
  std::error_code error;
  if (fs::is_symlink(path_, error)) {
    const fs::path target = fs::canonical(path_, error);
    if (!error) path_ = target;
  }
  temporary_ = claim_temporary(path_);
  fd_ = open_retrying(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (fd_ < 0) {
    const int why = errno;
    release_temporary(temporary_);
    fail_create(path_, why);
  }
  if (exists) (void)::fchmod(fd_, status.st_mode & 0777);  // a private file stays private
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  release_temporary(temporary_);
}

void AtomicFile::flush() {
  write_all(fd_, buffer_.data(), buffer_.size(), path_);
  buffer_.clear();
}

void AtomicFile::write(const void* data, std::size_t size) {
  require(fd_ >= 0, ErrorCode::kInternal, path_, ": written to after its commit");
  const char* bytes = static_cast<const char*>(data);
  if (buffer_.size() + size > kBuffer) flush();
  if (size >= kBuffer) {
    write_all(fd_, bytes, size, path_);
  } else {
    buffer_.append(bytes, size);
  }
  written_ += size;
}

void AtomicFile::write_at(std::uint64_t offset, const void* data, std::size_t size) {
  require(fd_ >= 0 && !temporary_.empty() && size <= written_ && offset <= written_ - size,
          ErrorCode::kInternal, path_, ": bytes ", offset, " and following cannot be overwritten");
  flush();
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    fault_point("write");
    const ssize_t done = ::pwrite(fd_, bytes, size, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_write(path_, errno);
    bytes += done;
    offset += static_cast<std::uint64_t>(done);
    size -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::commit() {
  require(fd_ >= 0, ErrorCode::kInternal, path_, ": committed twice");
  flush();
  if (const int error = sync(fd_); error != 0) fail_write(path_, error);
  const int closed = ::close(std::exchange(fd_, -1));
  const int error = errno;
  if (temporary_.empty()) {
    if (closed != 0 && error != EINTR) fail_write(path_, error);
    return;
  }
  try {
    if (closed != 0 && error != EINTR) fail_write(path_, error);
    rename_synced(temporary_, path_);
  } catch (...) {
    ::unlink(temporary_.c_str());
    release_temporary(temporary_);
    throw;
  }
  release_temporary(temporary_);
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

AppendFile::AppendFile(const fs::path& path)
    : fd_(open_retrying(path, O_RDWR | O_APPEND | O_CREAT, 0666)) {
  if (fd_ < 0) fail_create(path, errno);
  struct stat status = {};
  if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return;
  // Half a line of a killed writer goes, or it would spoil the next one.
  off_t end = status.st_size;
  char block[4096];
  while (end > 0) {
    const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(sizeof block));
    const ssize_t got = ::pread(fd_, block, static_cast<std::size_t>(end - begin), begin);
    if (got != end - begin) return;
    const std::string_view view(block, static_cast<std::size_t>(got));
    const std::size_t newline = view.rfind('\n');
    if (newline != view.npos) {
      end = begin + static_cast<off_t>(newline) + 1;
      break;
    }
    end = begin;
  }
  if (end < status.st_size) (void)!::ftruncate(fd_, end);
}

AppendFile::AppendFile(AppendFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool AppendFile::sync() noexcept {
  return fd_ >= 0 && llmctl::sync(fd_) == 0;
}

bool AppendFile::append(std::string_view text) noexcept {
  if (fd_ < 0) return false;
  struct stat status = {};
  if (::fstat(fd_, &status) != 0) return false;
  while (!text.empty()) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      if (S_ISREG(status.st_mode)) (void)!::ftruncate(fd_, status.st_size);
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_create(path, error.value());
  if (!fs::is_directory(path, error)) fail_create(path, ENOTDIR);
}

AtomicDirectory::AtomicDirectory(fs::path path) : path_(std::move(path)) {
  if (!path_.has_filename()) path_ = path_.parent_path();  // "name/" is "name"
  make_directories(parent_of(path_));
  temporary_ = claim_temporary(path_);
  if (::mkdir(temporary_.c_str(), 0777) != 0) {
    const int why = errno;
    release_temporary(temporary_);
    fail_create(path_, why);
  }
}

AtomicDirectory::~AtomicDirectory() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  release_temporary(temporary_);
}

void AtomicDirectory::commit(bool replaces) {
  require(!temporary_.empty(), ErrorCode::kInternal, path_, ": committed twice");
  for (const auto& entry : fs::recursive_directory_iterator(temporary_)) {
    if (!entry.is_symlink() && (entry.is_regular_file() || entry.is_directory())) {
      sync_path(entry.path());
    }
  }
  sync_path(temporary_);
  if (replaces && fs::exists(path_)) {
    replace_directory(temporary_, path_);
  } else {
    rename_synced(temporary_, path_);
  }
  release_temporary(temporary_);
  temporary_.clear();
}

void remove_stale_temporaries(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const pid_t pid = temporary_writer(it->path().filename().string());
    if (pid == 0) continue;
    const bool alive =
        pid == ::getpid() ? is_live_temporary(it->path()) : ::kill(pid, 0) == 0 || errno != ESRCH;
    if (!alive) stale.push_back(it->path());
  }
  for (const fs::path& path : stale) fs::remove_all(path, error);
}

void replace_symlink(const fs::path& link, const fs::path& target) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(link, error);
  require(!fs::exists(status) || fs::is_symlink(status), ErrorCode::kCannotCreate, link,
          ": exists and is no symbolic link");
  const fs::path temporary = claim_temporary(link);
  try {
    if (::symlink(target.c_str(), temporary.c_str()) != 0) fail_create(link, errno);
    rename_synced(temporary, link);
  } catch (...) {
    ::unlink(temporary.c_str());
    release_temporary(temporary);
    throw;
  }
  release_temporary(temporary);
}

}  // namespace llmctl
