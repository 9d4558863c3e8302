// Plain data parallelism for code without tensors (tensor code uses at::parallel_for, which shares
// LibTorch's pool).
#pragma once

#include <cstddef>
#include <functional>

namespace llmctl {

/// Cores that this process may use (affinity and cgroup quota counted); at least 1.
int available_threads();

/// Threads to use when nothing says how many: LLMCTL_THREADS where the environment has it, else (or
/// where it is 0) available_threads(). kUsage for anything but 0 to 1024.
int default_threads();

/// Threads that parallel_for uses; 0 means default_threads(). Set from --threads.
void set_thread_count(int threads);
int thread_count();

/// Calls body(i) for i in [0, count) on up to thread_count() threads; the first exception is
/// rethrown here.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace llmctl
