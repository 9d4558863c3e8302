#include "base/temporaries.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/host.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

/// What a signal handler reads: no lock, no allocation. A name that finds no slot is removed by the
/// next process that calls remove_stale_temporaries().
struct Slot {
  std::atomic<pid_t> owner{0};  ///< of the name below; 0: free. A forked child owns none
  char name[4096] = {};
};
constexpr std::size_t kSlots = 64;
Slot slots[kSlots];
static_assert(std::atomic<pid_t>::is_always_lock_free);

struct LiveTemporaries {
  std::mutex mutex;
  std::set<fs::path> names;
};

LiveTemporaries& live_temporaries() {
  static auto* const live = new LiveTemporaries;  // outlives every static object that uses it
  return *live;
}

fs::path full(const fs::path& name) {
  return fs::absolute(name).lexically_normal();
}

/// False when it is there already. Under the mutex.
bool enter(LiveTemporaries& live, const fs::path& name) {
  const fs::path path = full(name);
  if (!live.names.insert(path).second) return false;
  if (path.native().size() >= sizeof slots[0].name) return true;
  for (Slot& slot : slots) {
    if (slot.owner != 0) continue;
    std::memcpy(slot.name, path.c_str(), path.native().size() + 1);
    slot.owner = ::getpid();
    break;
  }
  return true;
}

/// As the kernel writes them (getdents64).
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

/// Removes a file, or a directory and what is in it, with system calls alone.
void remove_tree(int directory, const char* name, int depth) noexcept {
  if (::unlinkat(directory, name, 0) == 0 || depth > 8) return;
  const int fd = ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  alignas(DirectoryEntry) char buffer[2048];
  // Entries move up as others go, so the directory is read again until nothing is removed.
  for (bool some = true; some;) {
    some = false;
    ::lseek(fd, 0, SEEK_SET);
    long got = 0;
    while ((got = ::syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
      for (long at = 0; at < got;) {
        const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
        at += entry->length;
        if (std::strcmp(entry->name, ".") == 0 || std::strcmp(entry->name, "..") == 0) continue;
        remove_tree(fd, entry->name, depth + 1);
        struct stat status = {};
        some = some || ::fstatat(fd, entry->name, &status, AT_SYMLINK_NOFOLLOW) != 0;
      }
    }
  }
  ::close(fd);
  ::unlinkat(directory, name, AT_REMOVEDIR);
}

}  // namespace

fs::path claim_temporary(const fs::path& path) {
  LiveTemporaries& live = live_temporaries();
  const std::lock_guard lock(live.mutex);
  const std::string base = concat(path, ".tmp.", host_name(), ".", ::getpid());
  for (int n = 0;; ++n) {
    fs::path name = n == 0 ? base : concat(base, ".", n);
    struct stat status = {};
    if (::lstat(name.c_str(), &status) == 0) continue;
    if (enter(live, name)) return name;
  }
}

void release_temporary(const fs::path& name) {
  LiveTemporaries& live = live_temporaries();
  const std::lock_guard lock(live.mutex);
  const fs::path path = full(name);
  live.names.erase(path);
  for (Slot& slot : slots) {
    if (slot.owner != 0 && path.native() == slot.name) slot.owner = 0;
  }
}

bool is_live_temporary(const fs::path& name) {
  LiveTemporaries& live = live_temporaries();
  const std::lock_guard lock(live.mutex);
  return live.names.contains(full(name));
}

int temporary_writer(const std::string& name) {
  const std::string mark = concat(".tmp.", host_name(), ".");
  const std::size_t at = name.rfind(mark);
  if (at == name.npos) return 0;
  const char* const end = name.data() + name.size();
  pid_t pid = 0;
  auto [rest, error] = std::from_chars(name.data() + at + mark.size(), end, pid);
  if (error != std::errc{} || pid <= 0) return 0;
  if (rest == end) return pid;
  unsigned counter = 0;
  if (*rest != '.') return 0;
  const auto tail = std::from_chars(rest + 1, end, counter);
  return tail.ec == std::errc{} && tail.ptr == end ? pid : 0;
}

TemporaryPath::TemporaryPath(fs::path path) : path_(std::move(path)) {
  LiveTemporaries& live = live_temporaries();
  const std::lock_guard lock(live.mutex);
  enter(live, path_);
}

TemporaryPath::~TemporaryPath() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  release_temporary(path_);
}

void remove_temporaries() noexcept {
  for (const Slot& slot : slots) {
    if (slot.owner == ::getpid()) remove_tree(AT_FDCWD, slot.name, 0);
  }
}

}  // namespace llmctl
