#include "data/batching.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"

namespace llmctl {

std::vector<std::pair<std::size_t, std::size_t>> micro_batch_ranges(const Batching& batching) {
  const auto rows = static_cast<std::size_t>(batching.batch_size);
  const auto size =
      batching.micro_batch_size > 0 ? static_cast<std::size_t>(batching.micro_batch_size) : rows;
  const auto world = static_cast<std::size_t>(batching.world);
  const std::size_t per_rank = (rows + size * world - 1) / (size * world);
  const std::size_t parts = std::min(per_rank * world, rows);
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  for (auto part = static_cast<std::size_t>(batching.rank); part < parts; part += world) {
    ranges.emplace_back(rows * part / parts, rows * (part + 1) / parts);
  }
  return ranges;
}

RowOrder::RowOrder(std::uint64_t rows, const Batching& batching)
    : rows_(rows), batching_(batching) {
  require(rows > 0, ErrorCode::kInternal, "an order of no rows was asked for");
  require(batching.batch_size > 0 && batching.micro_batch_size >= 0, ErrorCode::kConfig,
          "batch sizes must be at least 1, got ", batching.batch_size, " and ",
          batching.micro_batch_size);
  require(batching.batch_size >= batching.world, ErrorCode::kConfig, "a batch of ",
          batching.batch_size, " rows cannot be shared by ", batching.world, " processes");
}

std::int64_t RowOrder::steps_per_epoch() const {
  const auto size = static_cast<std::uint64_t>(batching_.batch_size);
  return static_cast<std::int64_t>((rows_ + size - 1) / size);
}

std::vector<RowUse> RowOrder::step(std::int64_t step) const {
  const auto size = static_cast<std::uint64_t>(batching_.batch_size);
  require(step >= batching_.first_step, ErrorCode::kInternal, "step ", step,
          " had another batch size");
  const std::uint64_t first =
      batching_.rows_before + static_cast<std::uint64_t>(step - batching_.first_step) * size;
  std::vector<RowUse> uses;
  uses.reserve(size);
  std::optional<Permutation> permutation;
  for (std::uint64_t position = first; position < first + size; ++position) {
    const std::uint64_t epoch = position / rows_, index = position % rows_;
    if (!permutation || index == 0) {
      permutation.emplace(rows_, random_key(batching_.seed, "rows", epoch));
    }
    uses.push_back({epoch, (*permutation)(index)});
  }
  return uses;
}

std::vector<std::vector<RowUse>> RowOrder::micro_batches(
    std::int64_t step, const std::function<std::int64_t(std::uint64_t)>& length) const {
  std::vector<RowUse> uses = this->step(step);
  if (length) {
    std::vector<std::pair<std::int64_t, RowUse>> keyed;
    keyed.reserve(uses.size());
    for (const RowUse& use : uses) keyed.emplace_back(length(use.row), use);
    std::stable_sort(keyed.begin(), keyed.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = 0; i < uses.size(); ++i) uses[i] = keyed[i].second;
  }
  std::vector<std::vector<RowUse>> batches;
  for (const auto& [begin, end] : micro_batch_ranges(batching_)) {
    batches.emplace_back(uses.begin() + static_cast<std::ptrdiff_t>(begin),
                         uses.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return batches;
}

}  // namespace llmctl
