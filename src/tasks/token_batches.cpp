#include "tasks/token_batches.h"

#include <tuple>

#include "base/error.h"
#include "base/random.h"

namespace llmctl {
namespace {

/// First lengths that differ by less than this may meet.
constexpr double kBucket = 2;
/// Noise of the second length, by which the rows of a bucket are sorted.
constexpr double kNoise = 2;

}  // namespace

TokenBatches::TokenBatches(std::vector<std::int64_t> rows, RowLengths lengths,
                           std::int64_t batch_tokens, std::uint64_t seed)
    : rows_(std::move(rows)),
      lengths_(std::move(lengths)),
      batch_tokens_(batch_tokens),
      seed_(seed) {
  for (const std::int64_t row : rows_) {
    require(longer(row) <= batch_tokens_, ErrorCode::kConfig, "train.batch_tokens: ", batch_tokens_,
            " tokens do not hold a row of ", longer(row),
            "; raise it, or lower data.sequence_length");
  }
  epoch_.order = order(0);
  batches_ = std::ssize(cut(epoch_.order, batch_tokens_));
  epoch_.ends = plan(epoch_.order);
}

std::vector<std::int64_t> TokenBatches::order(std::uint64_t epoch) const {
  // A row that is there twice has a key for each use.
  std::vector<std::tuple<std::int64_t, double, std::int64_t>> keyed;
  keyed.reserve(rows_.size());
  Random random(random_key(seed_, "length noise", epoch));
  for (const std::int64_t row : rows_) {
    const auto i = static_cast<std::size_t>(row);
    const double first = lengths_.first[i] + kBucket * random.uniform();
    const double second = lengths_.second.empty() ? 0 : lengths_.second[i];
    keyed.emplace_back(-static_cast<std::int64_t>(first / kBucket),
                       -second - kNoise * random.uniform(), row);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::int64_t> sorted;
  sorted.reserve(keyed.size());
  for (const auto& [bucket, second, row] : keyed) sorted.push_back(row);
  return sorted;
}

std::vector<std::size_t> TokenBatches::cut(const std::vector<std::int64_t>& order,
                                           std::int64_t tokens) const {
  std::vector<std::size_t> ends;
  std::int64_t count = 0, longest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t length = longer(order[i]);
    if (count > 0 && (count + 1) * std::max(longest, length) > tokens) {
      ends.push_back(i);
      count = longest = 0;
    }
    ++count;
    longest = std::max(longest, length);
  }
  ends.push_back(order.size());
  return ends;
}

std::vector<std::size_t> TokenBatches::plan(const std::vector<std::int64_t>& order) const {
  const auto wanted = static_cast<std::size_t>(batches_);
  std::vector<std::size_t> ends = cut(order, batch_tokens_);
  if (ends.size() > wanted) {
    // The least that suffices: more tokens never make more batches.
    std::int64_t low = batch_tokens_, high = 2 * batch_tokens_;
    while (cut(order, high).size() > wanted) high *= 2;
    while (high - low > 1) {
      const std::int64_t middle = (low + high) / 2;
      (cut(order, middle).size() > wanted ? low : high) = middle;
    }
    ends = cut(order, high);
  }
  // Too few: the largest are halved.
  while (ends.size() < wanted) {
    std::size_t largest = 0, most = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      const std::size_t size = ends[i] - (i > 0 ? ends[i - 1] : 0);
      if (size > most) std::tie(largest, most) = std::pair(i, size);
    }
    ends.insert(ends.begin() + static_cast<std::ptrdiff_t>(largest), ends[largest] - most / 2);
  }
  return ends;
}

std::vector<std::int64_t> TokenBatches::rows(std::int64_t step) const {
  const auto number = static_cast<std::uint64_t>(step / batches_);
  const std::lock_guard lock(mutex_);
  if (epoch_.number != number) {
    epoch_.number = number;
    epoch_.order = order(number);
    epoch_.ends = plan(epoch_.order);
  }
  const Permutation places(static_cast<std::uint64_t>(batches_),
                           random_key(seed_, "batches", number));
  const auto batch = static_cast<std::size_t>(places(static_cast<std::uint64_t>(step % batches_)));
  const std::size_t begin = batch > 0 ? epoch_.ends[batch - 1] : 0;
  return {epoch_.order.begin() + static_cast<std::ptrdiff_t>(begin),
          epoch_.order.begin() + static_cast<std::ptrdiff_t>(epoch_.ends[batch])};
}

}  // namespace llmctl
