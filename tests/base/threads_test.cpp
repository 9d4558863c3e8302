#include "base/threads.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/threads_detail.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

struct ThreadCount {
  explicit ThreadCount(int threads) { set_thread_count(threads); }
  ~ThreadCount() { set_thread_count(0); }
};

TEST(Threads, CountIsWhatWasSetOrWhatThereIs) {
  EXPECT_GE(available_threads(), 1);
  {
    const ThreadCount three(3);
    EXPECT_EQ(thread_count(), 3);
  }
  const ThreadCount negative(-1);
  EXPECT_EQ(thread_count(), default_threads());
}

TEST(Threads, TheEnvironmentSaysTheDefault) {
  const auto expect = [](const char* value, int threads) {
    ::setenv("LLMCTL_THREADS", value, 1);
    if (thread_count() != threads) {
      fail(ErrorCode::kInternal, value, ": ", thread_count(), " threads, not ", threads);
    }
  };
  const auto result = test::run_child([&] {
    expect("", available_threads());
    expect("0", available_threads());
    expect("3", 3);
    const ThreadCount five(5);
    expect("2", 5);
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Threads, TheEnvironmentsNumberIsChecked) {
  for (const char* wrong : {"two", "-1", "1025", "2 ", "2x"}) {
    const auto result = test::run_child([&] {
      ::setenv("LLMCTL_THREADS", wrong, 1);
      default_threads();
    });
    EXPECT_EQ(result.status, 64) << wrong;
    EXPECT_NE(result.err.find("LLMCTL_THREADS"), std::string::npos) << result.err;
  }
}

TEST(Threads, AffinityLimitsThem) {
  const auto result = test::run_child([] {
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ::sched_setaffinity(0, sizeof set, &set);
    const int threads = detail::affinity_threads();
    require(threads == 1, ErrorCode::kInternal, threads);
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Threads, CgroupQuotaLimitsThem) {
  const test::TempDir dir;
  const auto count = [&](const std::string& membership) {
    return detail::cgroup_threads(dir / "root", dir.write("membership", membership));
  };
  dir.write("root/cpu.max", "max 100000\n");
  EXPECT_EQ(count("0::/\n"), 0);
  dir.write("root/box/inner/cpu.max", "150000 100000\n");  // 1.5 cores: two threads
  EXPECT_EQ(count("0::/box/inner\n"), 2);
  dir.write("root/box/cpu.max", "100000 100000\n");  // the group around it is narrower
  EXPECT_EQ(count("0::/box/inner\n"), 1);
  dir.write("root/box/cpu.max", "1000 100000\n");  // never below one
  EXPECT_EQ(count("0::/box/inner\n"), 1);
  EXPECT_EQ(count("0::/absent/inner\n"), 0);
  EXPECT_EQ(count("12:cpu:/old\n"), 0);  // version 1
  dir.write("root/box/cpu.max", "nonsense\n");
  EXPECT_EQ(count("0::/box\n"), 0);
  EXPECT_EQ(detail::cgroup_threads(dir / "none", dir / "none"), 0);
  dir.write("root/cpu.max", "300000 100000\n");  // inside a container the group is the root
  EXPECT_EQ(count("0::/\n"), 3);
}

TEST(ParallelFor, CallsEachIndexOnce) {
  for (const int threads : {1, 2, 4, 7}) {
    const ThreadCount set(threads);
    for (const std::size_t count : {0u, 1u, 2u, 5u, 100u, 1001u}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_for(count, [&](std::size_t i) { ++calls[i]; });
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(calls[i], 1) << i;
    }
  }
}

TEST(ParallelFor, UsesSeveralThreads) {
  const ThreadCount four(4);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  parallel_for(64, [&](std::size_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_GT(ids.size(), 1u);
  EXPECT_LE(ids.size(), 4u);
}

TEST(ParallelFor, RethrowsTheFirstErrorAndStartsNothingMore) {
  const ThreadCount four(4);
  std::atomic<int> calls{0};
  test::expect_error(ErrorCode::kData, "row 10", [&] {
    parallel_for(1'000'000, [&](std::size_t i) {
      ++calls;
      if (i == 10) fail(ErrorCode::kData, "row 10");
    });
  });
  EXPECT_LT(calls, 1'000'000);
  std::atomic<int> after{0};
  parallel_for(10, [&](std::size_t) { ++after; });
  EXPECT_EQ(after, 10);
}

TEST(ParallelFor, NestedCallsRunInTheirThread) {
  const ThreadCount four(4);
  std::atomic<int> calls{0};
  std::atomic<bool> strayed{false};
  parallel_for(4, [&](std::size_t) {
    const auto outer = std::this_thread::get_id();
    parallel_for(8, [&](std::size_t) {
      ++calls;
      if (std::this_thread::get_id() != outer) strayed = true;
    });
  });
  EXPECT_EQ(calls, 32);
  EXPECT_FALSE(strayed);
}

}  // namespace
}  // namespace llmctl
