// One process per run directory: a file "lock" that names its holder.
#pragma once

#include <filesystem>

#include "base/file_lock.h"

namespace llmctl {

/// Holds RUN/lock while it lives. A second run in the directory is refused with kCannotCreate,
/// naming the holder's pid and host. The lock of a process that has ended on this host is taken
/// over; one of another host is not (whether that process lives cannot be seen from here).
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& run_directory);

 private:
  FileLock lock_;
};

}  // namespace llmctl
