// The parts of available_threads(), which asks once and remembers, for tests.
#pragma once

#include <filesystem>

namespace llmctl::detail {

/// Cores that the scheduler may put this process on.
int affinity_threads();

/// Cores that the cgroup (version 2) of a process and the groups around it grant: `root` is the
/// hierarchy's mount point, `membership` the file /proc/self/cgroup. 0: no limit.
int cgroup_threads(const std::filesystem::path& root, const std::filesystem::path& membership);

}  // namespace llmctl::detail
