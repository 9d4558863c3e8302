#include "ops/cpu_allocator.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "ops/backend.h"

namespace llmctl::test {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

class CpuAllocator : public ::testing::Test {
 protected:
  void SetUp() override {
    initialize_backend(1);
    release_cpu_memory();
  }
};

at::Tensor bytes(std::int64_t n) {
  return at::empty({n}, at::kByte);
}

TEST_F(CpuAllocator, GivesBlocksAgain) {
  at::Tensor first = bytes(3 * kMiB);
  const void* const place = first.const_data_ptr();
  const std::size_t in_use = cpu_memory().in_use;
  EXPECT_GE(in_use, 3u * kMiB);
  EXPECT_EQ(cpu_memory().kept, 0u);
  first.reset();
  EXPECT_GE(cpu_memory().kept, 3u * kMiB);
  const at::Tensor smaller = bytes(3 * kMiB - 100'000);
  EXPECT_EQ(smaller.const_data_ptr(), place);
  EXPECT_EQ(cpu_memory().kept, 0u);
  EXPECT_EQ(cpu_memory().in_use, in_use);
  EXPECT_NE(bytes(kMiB).const_data_ptr(), place);
  release_cpu_memory();
  EXPECT_EQ(cpu_memory().kept, 0u);
  EXPECT_EQ(cpu_memory().in_use, in_use);
}

TEST_F(CpuAllocator, KeepsNoMoreThanWasInUse) {
  Random random(random_key(1, "sizes"));
  std::vector<at::Tensor> held;
  const std::size_t before = cpu_memory().in_use;
  std::size_t peak = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (held.size() > random.below(40)) {
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(random.below(held.size())));
    } else {
      held.push_back(bytes(static_cast<std::int64_t>(70'000 + random.below(5 * kMiB))));
    }
    const CpuMemory now = cpu_memory();
    peak = std::max(peak, now.in_use);
    ASSERT_LE(now.in_use + now.kept, peak + peak / 4 + 33 * kMiB);
  }
  held.clear();
  EXPECT_EQ(cpu_memory().in_use, before);
}

TEST_F(CpuAllocator, BlocksOfManyThreadsAreApart) {
  const auto work = [](std::uint64_t thread) {
    Random random(random_key(2, "threads", thread));
    std::vector<at::Tensor> held;
    for (int i = 0; i < 2'000; ++i) {
      if (held.size() < 12) {
        const auto n = static_cast<std::int64_t>(random.below(300'000));
        const at::Tensor tensor = bytes(n);
        if (n > 0) {
          EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % 64, 0u);
          std::memset(tensor.mutable_data_ptr(), static_cast<int>(n % 251),
                      static_cast<std::size_t>(n));
        }
        held.push_back(tensor);
      } else {
        const auto at = static_cast<std::ptrdiff_t>(random.below(held.size()));
        const at::Tensor& tensor = held[static_cast<std::size_t>(at)];
        const std::int64_t n = tensor.numel();
        if (n > 0) EXPECT_TRUE(tensor.eq(static_cast<std::int64_t>(n % 251)).all().item<bool>());
        held.erase(held.begin() + at);
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 3; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CpuAllocator, WhatNoMachineHasIsAnError) {
  at::Tensor kept = bytes(8 * kMiB);
  kept.reset();
  try {
    translate_torch_errors([] { at::empty({std::int64_t{1} << 60}, at::kByte); });
    FAIL() << "allocated";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos) << error.what();
  }
  EXPECT_EQ(cpu_memory().kept, 0u) << "what is kept is tried first";
}

}  // namespace
}  // namespace llmctl::test
