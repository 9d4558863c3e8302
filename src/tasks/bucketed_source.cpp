#include "tasks/bucketed_source.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace llmctl {
namespace {

constexpr std::int64_t kWindow = 50;  // batches that are sorted by length together

std::vector<std::int64_t> not_empty(std::vector<std::int64_t> rows) {
  require(!rows.empty(), ErrorCode::kData, "data.train: no rows to train on");
  return rows;
}

void sort_longest_first(std::vector<std::int64_t>& rows, std::span<const std::int32_t> lengths) {
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
    return lengths[static_cast<std::size_t>(a)] > lengths[static_cast<std::size_t>(b)];
  });
}

}  // namespace

BucketedSource::BucketedSource(std::vector<std::int64_t> rows, RowLengths lengths,
                               const Batching& batching, Collate collate, Fingerprints fingerprints)
    : rows_(not_empty(std::move(rows))),
      lengths_(std::move(lengths)),
      batching_(batching),
      order_(rows_.size(), batching),
      collate_(std::move(collate)),
      fingerprints_(std::move(fingerprints)) {
  if (batching.batch_tokens > 0) {
    by_tokens_ =
        std::make_unique<TokenBatches>(rows_, lengths_, batching.batch_tokens, batching.seed);
  }
}

std::vector<std::int64_t> BucketedSource::rows_of(std::int64_t step) const {
  if (by_tokens_) return by_tokens_->rows(step);
  // No longer than an epoch: sorting would bring the uses of one row together.
  const std::int64_t whole = static_cast<std::int64_t>(rows_.size()) / batching_.batch_size;
  const std::int64_t steps = std::clamp<std::int64_t>(whole, 1, kWindow);
  step -= batching_.first_step;
  const std::int64_t window = step / steps;
  std::vector<std::int64_t> sorted;
  for (std::int64_t s = window * steps; s < (window + 1) * steps; ++s) {
    for (const RowUse& use : order_.step(batching_.first_step + s))
      sorted.push_back(rows_[use.row]);
  }
  sort_longest_first(sorted, lengths_.first);
  const Permutation batches(
      static_cast<std::uint64_t>(steps),
      random_key(batching_.seed, "batches", static_cast<std::uint64_t>(window)));
  const std::uint64_t batch = batches(static_cast<std::uint64_t>(step % steps));
  const auto first =
      static_cast<std::ptrdiff_t>(batch) * static_cast<std::ptrdiff_t>(batching_.batch_size);
  return {sorted.begin() + first, sorted.begin() + first + batching_.batch_size};
}

std::vector<std::vector<std::int64_t>> BucketedSource::micro_batches(std::int64_t step) const {
  const std::vector<std::int64_t> rows = rows_of(step);
  Batching parts = batching_;
  if (by_tokens_) {
    parts.batch_size = std::ssize(rows);
    const std::int64_t most = batching_.micro_batch_tokens;
    parts.micro_batch_size =
        most > 0 ? std::max<std::int64_t>(1, parts.batch_size * most / batching_.batch_tokens) : 0;
    require(parts.batch_size >= parts.world, ErrorCode::kConfig,
            "train.batch_tokens: ", batching_.batch_tokens, " tokens make steps of ",
            parts.batch_size, " rows, too few for ", parts.world, " processes");
  }
  std::vector<std::vector<std::int64_t>> micro;
  for (const auto& [begin, end] : micro_batch_ranges(parts)) {
    micro.emplace_back(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                       rows.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return micro;
}

std::vector<Batch> BucketedSource::batches(std::int64_t step) const {
  std::vector<Batch> batches;
  for (const auto& rows : micro_batches(step)) batches.push_back(collate_(rows, step));
  return batches;
}

TokenRow token_row(std::span<const TokenId> ids, std::span<const TokenId> types) {
  TokenRow row;
  row.ids.assign(ids.begin(), ids.end());
  row.token_types.assign(types.begin(), types.end());
  return row;
}

double real_tokens(const Sequence& sequence) {
  if (!sequence.documents.defined()) return static_cast<double>(sequence.ids.numel());
  return static_cast<double>(sequence.documents.ge(0).sum().item<std::int64_t>());
}

TokenId pad_token(const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  return special.pad.value_or(special.eos.value_or(0));
}

std::int64_t model_length(const Model& model, std::int64_t sequence_length) {
  const std::int64_t most = model.facts().max_positions;
  return most > 0 ? std::min(sequence_length, most) : sequence_length;
}

std::vector<std::vector<std::int64_t>> batches_by_length(std::span<const std::int32_t> lengths,
                                                         std::int64_t batch_size) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  sort_longest_first(order, lengths);
  std::vector<std::vector<std::int64_t>> batches;
  const auto size = static_cast<std::size_t>(batch_size);
  for (std::size_t i = 0; i < order.size(); i += size) {
    batches.emplace_back(
        order.begin() + static_cast<std::ptrdiff_t>(i),
        order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), i + size)));
  }
  return batches;
}

}  // namespace llmctl
