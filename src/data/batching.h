// How a run's rows are dealt into steps.
#pragma once

#include <cstdint>

namespace llmctl {

/// Global batch, what of it one forward pass takes, and which part is this process's.
struct Batching {
  std::uint64_t seed = 1234;
  std::int64_t batch_size = 32;        ///< rows per optimiser step over all ranks
  std::int64_t micro_batch_size = 32;  ///< rows per forward pass
  int rank = 0, world = 1;
};

}  // namespace llmctl
