// Batches of about equally many tokens, whose rows have like lengths.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace llmctl {

/// Tokens of each row; of pairs those of the sequence that matters most and of the other one.
struct RowLengths {
  // Implicit: most rows are one sequence.
  RowLengths(std::vector<std::int32_t> of_first, std::vector<std::int32_t> of_second = {})
      : first(std::move(of_first)), second(std::move(of_second)) {}

  std::vector<std::int32_t> first, second;  ///< second: empty for single sequences

  /// Tokens of the row's longer side.
  std::int32_t longer(std::size_t row) const {
    return second.empty() ? first[row] : std::max(first[row], second[row]);
  }
};

/// Each epoch visits every entry of `rows` (indices into the lengths) once: sorted by length, with
/// some noise so that other rows meet each time, cut into batches and the batches permuted. All
/// epochs have as many batches, so that the plan of a step's epoch is a function of (seed, epoch)
/// alone. Rows of a batch times the longest side among them are at most `batch_tokens`; only where
/// the noise of an epoch asks for more batches than the first one has, by a little more.
class TokenBatches {
 public:
  /// kConfig for a row with more than batch_tokens tokens.
  TokenBatches(std::vector<std::int64_t> rows, RowLengths lengths, std::int64_t batch_tokens,
               std::uint64_t seed);

  std::int64_t steps_per_epoch() const { return batches_; }
  /// The entries of `rows` of a step, the longest first.
  std::vector<std::int64_t> rows(std::int64_t step) const;

 private:
  /// Entries in the order in which an epoch cuts them, longest first.
  std::vector<std::int64_t> order(std::uint64_t epoch) const;
  /// Where batches of at most `tokens` end.
  std::vector<std::size_t> cut(const std::vector<std::int64_t>& order, std::int64_t tokens) const;
  /// The ends of exactly batches_ batches.
  std::vector<std::size_t> plan(const std::vector<std::int64_t>& order) const;
  std::int64_t longer(std::int64_t row) const {
    return lengths_.longer(static_cast<std::size_t>(row));
  }

  std::vector<std::int64_t> rows_;
  RowLengths lengths_;
  std::int64_t batch_tokens_;
  std::uint64_t seed_;
  std::int64_t batches_ = 0;

  /// Of the epoch that was asked for last.
  struct Epoch {
    std::uint64_t number = 0;
    std::vector<std::int64_t> order;
    std::vector<std::size_t> ends;
  };
  mutable std::mutex mutex_;
  mutable Epoch epoch_;
};

}  // namespace llmctl
