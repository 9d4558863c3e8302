#include "tasks/row_source.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace llmctl {
namespace {

constexpr std::int64_t kWindow = 50;  // batches that are sorted by length together

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

RowSource::RowSource(std::vector<std::int64_t> rows, std::vector<std::int32_t> lengths,
                     const Batching& batching, Collate collate, std::string fingerprint)
    : rows_(std::move(rows)),
      lengths_(std::move(lengths)),
      batching_(batching),
      collate_(std::move(collate)),
      fingerprint_(std::move(fingerprint)) {
  require(!rows_.empty(), ErrorCode::kData, "data.train: no rows to train on");
  require(batching_.batch_size > 0 && batching_.micro_batch_size > 0 && batching_.world > 0,
          ErrorCode::kInternal, "row source: batch of ", batching_.batch_size, ", micro-batch of ",
          batching_.micro_batch_size, ", ", batching_.world, " processes");
}

std::int64_t RowSource::steps_per_epoch() const {
  return ceil_divide(static_cast<std::int64_t>(rows_.size()), batching_.batch_size);
}

std::vector<std::vector<std::int64_t>> RowSource::micro_batches(std::int64_t step) const {
  const std::int64_t epoch = step / steps_per_epoch(), in_epoch = step % steps_per_epoch();
  const std::int64_t window = in_epoch / kWindow;
  const std::int64_t first = window * kWindow * batching_.batch_size;
  const std::int64_t last = std::min<std::int64_t>(static_cast<std::int64_t>(rows_.size()),
                                                   first + kWindow * batching_.batch_size);
  const Permutation shuffle(rows_.size(),
                            random_key(batching_.seed, "rows", static_cast<std::uint64_t>(epoch)));
  std::vector<std::int64_t> sorted;
  sorted.reserve(static_cast<std::size_t>(last - first));
  for (std::int64_t i = first; i < last; ++i)
    sorted.push_back(rows_[shuffle(static_cast<std::uint64_t>(i))]);
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::int64_t a, std::int64_t b) {
    return lengths_[static_cast<std::size_t>(a)] < lengths_[static_cast<std::size_t>(b)];
  });
  const Permutation order(
      static_cast<std::uint64_t>(ceil_divide(last - first, batching_.batch_size)),
      random_key(batching_.seed, "batches", static_cast<std::uint64_t>(epoch),
                 static_cast<std::uint64_t>(window)));
  const auto batch =
      static_cast<std::int64_t>(order(static_cast<std::uint64_t>(in_epoch - window * kWindow)));
  const std::int64_t begin = batch * batching_.batch_size;
  const std::int64_t end = std::min<std::int64_t>(begin + batching_.batch_size, last - first);
  std::vector<std::vector<std::int64_t>> micro;
  for (std::int64_t i = begin + batching_.rank; i < end; i += batching_.world) {
    if (micro.empty() ||
        static_cast<std::int64_t>(micro.back().size()) == batching_.micro_batch_size) {
      micro.emplace_back();
    }
    micro.back().push_back(sorted[static_cast<std::size_t>(i)]);
  }
  return micro;
}

std::vector<Batch> RowSource::batches(std::int64_t step) const {
  std::vector<Batch> batches;
  for (const auto& rows : micro_batches(step)) batches.push_back(collate_(rows, true));
  if (batches.empty()) batches.push_back(collate_(std::span(rows_).first(1), false));
  return batches;
}

Sequence pad_rows(const std::vector<std::vector<TokenId>>& rows,
                  const std::vector<std::vector<TokenId>>& types, TokenId pad) {
  const auto count = static_cast<std::int64_t>(rows.size());
  std::int64_t longest = 0, shortest = std::numeric_limits<std::int64_t>::max();
  for (const auto& row : rows) {
    longest = std::max(longest, static_cast<std::int64_t>(row.size()));
    shortest = std::min(shortest, static_cast<std::int64_t>(row.size()));
  }
  Sequence sequence;
  sequence.ids = at::full({count, longest}, pad, at::kLong);
  auto* ids = sequence.ids.mutable_data_ptr<std::int64_t>();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy(rows[r].begin(), rows[r].end(), ids + static_cast<std::int64_t>(r) * longest);
  }
  if (!types.empty()) {
    sequence.token_types = at::zeros({count, longest}, at::kLong);
    auto* data = sequence.token_types.mutable_data_ptr<std::int64_t>();
    for (std::size_t r = 0; r < types.size(); ++r) {
      std::copy(types[r].begin(), types[r].end(), data + static_cast<std::int64_t>(r) * longest);
    }
  }
  if (shortest < longest) {
    sequence.documents = at::zeros({count, longest}, at::kLong);
    auto* documents = sequence.documents.mutable_data_ptr<std::int64_t>();
    for (std::size_t r = 0; r < rows.size(); ++r) {
      auto* row = documents + static_cast<std::int64_t>(r) * longest;
      std::fill(row + rows[r].size(), row + longest, -1);
    }
  }
  return sequence;
}

double batch_weight(const Batch& batch) {
  return batch.weights.defined() ? batch.weights.sum().item<double>()
                                 : static_cast<double>(batch.input.rows());
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
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return lengths[static_cast<std::size_t>(a)] < lengths[static_cast<std::size_t>(b)];
  });
  std::vector<std::vector<std::int64_t>> batches;
  for (std::size_t i = 0; i < order.size(); i += static_cast<std::size_t>(batch_size)) {
    const std::size_t end = std::min(order.size(), i + static_cast<std::size_t>(batch_size));
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(i),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return batches;
}

}  // namespace llmctl
