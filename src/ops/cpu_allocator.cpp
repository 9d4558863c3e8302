#include "ops/cpu_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <string>

namespace llmctl {
namespace {

/// In front of the memory of a tensor, whose start it keeps aligned to lines of the cache.
struct alignas(64) Header {
  std::size_t bytes;  ///< of the block with its header
};

constexpr std::size_t kLarge = std::size_t{64} << 10, kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20, kSlack = std::size_t{32} << 20;

[[noreturn]] void fail_allocation(std::size_t bytes) {
  C10_THROW_ERROR(OutOfMemoryError,
                  "no memory for a tensor of " + std::to_string(bytes) + " bytes");
}

/// The smallest of eight sizes for each power of two, a multiple of the page.
std::size_t size_class(std::size_t bytes) {
  const std::size_t step = std::max(kPage, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

class Blocks {
 public:
  void* take(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    const std::lock_guard<std::mutex> lock(mutex_);
    // The peak is forgotten by a half within 45,000 blocks, some tens of training steps.
    recent_peak_ = std::max(recent_peak_ - recent_peak_ / 65536, in_use_ + size);
    const auto found = kept_.lower_bound(size);
    if (found != kept_.end() && found->first <= size + size / 4) {
      const auto latest = std::prev(kept_.upper_bound(found->first));
      void* const start = latest->second.start;
      const std::size_t own = latest->first;
      kept_.erase(latest);
      kept_bytes_ -= own;
      in_use_ += own;
      static_cast<Header*>(start)->bytes = own;
      return start;
    }
    shrink(limit() > in_use_ + size ? limit() - in_use_ - size : 0);
    void* start = map(size);
    if (!start) {
      shrink(0);
      start = map(size);
    }
    if (!start) return nullptr;
    in_use_ += size;
    static_cast<Header*>(start)->bytes = size;
    return start;
  }

  void give_back(void* start) {
    const std::size_t bytes = static_cast<Header*>(start)->bytes;
    const std::lock_guard<std::mutex> lock(mutex_);
    in_use_ -= bytes;
    kept_bytes_ += bytes;
    kept_.emplace(bytes, Kept{start, ++clock_});
    shrink(limit() > in_use_ ? limit() - in_use_ : 0);
  }

  void release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    recent_peak_ = in_use_;
    shrink(0);
  }

  CpuMemory memory() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {in_use_, kept_bytes_};
  }

 private:
  struct Kept {
    void* start;
    std::uint64_t when;
  };

  /// Blocks in use and kept are this much together.
  std::size_t limit() const { return recent_peak_ + recent_peak_ / 4 + kSlack; }

  /// Unmaps what was given back longest ago until at most so much is kept.
  void shrink(std::size_t most) {
    while (kept_bytes_ > most) {
      const auto oldest = std::min_element(
          kept_.begin(), kept_.end(),
          [](const auto& a, const auto& b) { return a.second.when < b.second.when; });
      munmap(oldest->second.start, oldest->first);
      kept_bytes_ -= oldest->first;
      kept_.erase(oldest);
    }
  }

  static void* map(std::size_t bytes) {
    void* const start =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    if (bytes >= kHugePage) madvise(start, bytes, MADV_HUGEPAGE);
    return start;
  }

  mutable std::mutex mutex_;
  std::multimap<std::size_t, Kept> kept_;  // by size; of one size the latest last
  std::size_t kept_bytes_ = 0, in_use_ = 0, recent_peak_ = 0;
  std::uint64_t clock_ = 0;
};

/// Never destroyed: tensors of static duration give back their blocks at any time.
Blocks& blocks() {
  static Blocks& all = *new Blocks;
  return all;
}

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t n) override {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (n == 0) return {nullptr, nullptr, &give_back, cpu};
    if (n > SIZE_MAX / 2) fail_allocation(n);
    const std::size_t bytes = n + sizeof(Header);
    void* start = nullptr;
    if (bytes >= kLarge) {
      start = blocks().take(bytes);
    } else {
      start = std::aligned_alloc(alignof(Header), (bytes + 63) / 64 * 64);
      if (start) static_cast<Header*>(start)->bytes = bytes;
    }
    if (!start) fail_allocation(n);
    void* const data = static_cast<Header*>(start) + 1;
    return {data, data, &give_back, cpu};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  static void give_back(void* data) {
    if (!data) return;
    Header* const header = static_cast<Header*>(data) - 1;
    if (header->bytes >= kLarge) {
      blocks().give_back(header);
    } else {
      std::free(header);
    }
  }
};

}  // namespace

void cache_cpu_memory() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new CachingAllocator); });
}

CpuMemory cpu_memory() {
  return blocks().memory();
}

void release_cpu_memory() {
  blocks().release();
}

}  // namespace llmctl
