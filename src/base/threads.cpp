#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/threads_detail.h"

namespace llmctl {
namespace {

std::atomic<int> requested_threads{0};
thread_local bool inside_parallel_for = false;

}  // namespace

namespace detail {

int affinity_threads() {
  for (int capacity = 1024; capacity <= 1 << 16; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(capacity));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(capacity));
    const bool known = set != nullptr && ::sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return count;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

int cgroup_threads(const std::filesystem::path& root, const std::filesystem::path& membership) {
  std::string group;
  std::ifstream in(membership);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("0::/")) group = line.substr(4);
  }
  int limit = 0;
  for (std::filesystem::path level = group.empty() ? root : root / group;;
       level = level.parent_path()) {
    std::ifstream file(level / "cpu.max");
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max" && period > 0) {
      const int threads =
          std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period)));
      limit = limit == 0 ? threads : std::min(limit, threads);
    }
    if (level == root || !level.has_relative_path()) return limit;
  }
}

}  // namespace detail

int available_threads() {
  static const int count = [] {
    const int cores = std::max(1, detail::affinity_threads());
    const int quota = detail::cgroup_threads("/sys/fs/cgroup", "/proc/self/cgroup");
    return quota == 0 ? cores : std::min(cores, quota);
  }();
  return count;
}

int default_threads() {
  const char* value = std::getenv("LLMCTL_THREADS");
  if (value == nullptr || *value == '\0') return available_threads();
  const std::string_view text = value;
  int threads = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc() || end != text.data() + text.size() || threads < 0 || threads > 1024) {
    fail(ErrorCode::kUsage, "LLMCTL_THREADS in the environment: expected 0 to 1024, got '", text,
         "'");
  }
  return threads > 0 ? threads : available_threads();
}

void set_thread_count(int threads) {
  requested_threads = std::max(0, threads);
}

int thread_count() {
  const int requested = requested_threads;
  return requested > 0 ? requested : default_threads();
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  const std::size_t threads = std::min(count, static_cast<std::size_t>(thread_count()));
  if (threads <= 1 || inside_parallel_for) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  const std::size_t piece = std::max<std::size_t>(1, count / (threads * 8));
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto work = [&] {
    inside_parallel_for = true;
    try {
      for (std::size_t begin; (begin = next.fetch_add(piece)) < count;) {
        for (std::size_t i = begin; i < std::min(count, begin + piece); ++i) body(i);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::current_exception();
      next = count;  // nothing more is begun
    }
    inside_parallel_for = false;
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t t = 1; t < threads; ++t) helpers.emplace_back(work);
    work();
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace llmctl
