// The part of threads.cpp that a test reaches with directories of its own.
#pragma once

#include <filesystem>

namespace llmctl::detail {

/// Cores that the cgroup (version 2) of a process and the groups around it grant: `root` is the
/// hierarchy's mount point, `membership` the file /proc/self/cgroup. 0: no limit.
int cgroup_threads(const std::filesystem::path& root, const std::filesystem::path& membership);

}  // namespace llmctl::detail
