#include "train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "config/json.h"

namespace llmctl {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

struct Holder {
  long long pid = 0;
  std::string host;
};

/// What the lock file says; an empty or damaged one names nobody.
Holder read_holder(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  if (size <= 0) return {};
  const Json value =
      Json::parse(std::string(text.data(), static_cast<std::size_t>(size)), nullptr, false);
  if (!value.is_object() || !value.contains("pid") || !value.contains("host")) return {};
  if (!value["pid"].is_number_integer() || !value["host"].is_string()) return {};
  return {value["pid"].get<long long>(), value["host"].get<std::string>()};
}

bool is_same_file(int fd, const fs::path& path) {
  struct stat opened {
  }, named{};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

[[noreturn]] void refuse(const fs::path& path, const Holder& holder, const std::string& remedy) {
  fail(ErrorCode::kCannotCreate, path.parent_path().string(), ": another run is using it (process ",
       holder.pid, " on ", holder.host.empty() ? "an unknown host" : holder.host, "); ", remedy);
}

}  // namespace

RunLock::RunLock(const fs::path& run_directory) : path_(run_directory / "lock") {
  // flock falls with its process however that ends; the content is for people and for other hosts.
  // The holder unlinks the file, so that whoever opened it before must look again.
  for (;;) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    require(fd_ >= 0, ErrorCode::kCannotCreate, path_.string(), ": ", std::strerror(errno));
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const Holder holder = read_holder(fd_);
      close(fd_);
      refuse(path_, holder, "wait for it or choose another run.dir");
    }
    if (is_same_file(fd_, path_)) break;
    close(fd_);
  }
  const Holder holder = read_holder(fd_);
  const std::string host = host_name();
  if (!holder.host.empty() && holder.host != host) {
    close(fd_);
    refuse(path_, holder, "remove " + path_.string() + " if that process is gone");
  }
  const std::string text = dump_json(Json{{"pid", getpid()}, {"host", host}}) + "\n";
  if (ftruncate(fd_, 0) != 0 ||
      pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const int error = errno;
    unlink(path_.c_str());
    close(fd_);
    fail(ErrorCode::kCannotCreate, path_.string(), ": ", std::strerror(error));
  }
}

RunLock::~RunLock() {
  unlink(path_.c_str());
  close(fd_);
}

}  // namespace llmctl
