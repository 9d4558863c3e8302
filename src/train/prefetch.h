// The batches of the next step, prepared while this one is computed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/batch.h"
#include "train/interfaces.h"

namespace llmctl {

/// Hands out source.batches(step) for step = first, first + 1, …, last - 1, one step ahead on a
/// thread of its own. The source must not be used by others meanwhile, except for what is const
/// and thread-safe.
class Prefetcher {
 public:
  /// `pin`: copies the batches to page-locked memory, from which a CUDA device reads alongside
  /// computation.
  Prefetcher(const Source& source, std::int64_t first, std::int64_t last, bool pin);
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  ~Prefetcher();

  /// The next step's batches; rethrows what the source threw.
  std::vector<Batch> next();

 private:
  void work(std::int64_t first, std::int64_t last);

  const Source& source_;
  const bool pin_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::vector<Batch>> ready_;
  std::exception_ptr error_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace llmctl
