// How a run's rows are dealt into steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/random.h"

namespace llmctl {

/// Global batch, what of it one forward pass takes, and which part is this process's.
struct Batching {
  std::uint64_t seed = 1234;
  std::int64_t batch_size = 32;        ///< rows per optimiser step over all ranks
  std::int64_t micro_batch_size = 32;  ///< rows per forward pass; 0: batch_size
  int rank = 0, world = 1;
  /// Where a run's batch size has changed: from first_step on it is batch_size, and the steps
  /// before it took rows_before rows, which are not dealt again.
  std::int64_t first_step = 0;
  std::uint64_t rows_before = 0;
  /// Tokens per optimiser step and per forward pass, padding included, where steps are measured in
  /// them instead of rows; 0 and 0: rows are. 0 of the second: all of a step.
  std::int64_t batch_tokens = 0, micro_batch_tokens = 0;
};

/// [begin, end) of this rank's micro-batches within the rows of a step: as many on every rank where
/// the rows allow it, at least one, of nearly equal size, none above micro_batch_size.
std::vector<std::pair<std::size_t, std::size_t>> micro_batch_ranges(const Batching& batching);

/// One use of a row. The pair is unique within a run: what is drawn for the row is keyed by it.
struct RowUse {
  std::uint64_t epoch = 0, row = 0;
  bool operator==(const RowUse&) const = default;
};

/// The order of rows: each epoch is a keyed permutation of all rows, and the epochs follow each
/// other without a gap, so that a step may end one and begin the next. A function of (seed, step)
/// in O(1).
class RowOrder {
 public:
  /// kConfig for batch sizes below 1, or rows too few for the ranks; rows > 0.
  RowOrder(std::uint64_t rows, const Batching& batching);

  std::uint64_t rows() const { return rows_; }
  /// Steps that one epoch takes, rounded up.
  std::int64_t steps_per_epoch() const;
  /// The rows of a step over all ranks.
  std::vector<RowUse> step(std::int64_t step) const;
  /// This rank's micro-batches of a step, as micro_batch_ranges() cuts them. With `length`, the
  /// step's rows are first sorted by it, longest first, so that rows of like length are padded
  /// together.
  std::vector<std::vector<RowUse>> micro_batches(
      std::int64_t step, const std::function<std::int64_t(std::uint64_t row)>& length = {}) const;

 private:
  std::uint64_t rows_;
  Batching batching_;
};

}  // namespace llmctl
