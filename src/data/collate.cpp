#include "data/collate.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace llmctl {

namespace {

using Numbers = std::vector<std::int64_t>;

/// [B, T] of one member of all rows, padded; `fill` gives what an empty member stands for.
template <class Fill>
at::Tensor stack(std::span<const TokenRow> rows, std::int64_t length, Numbers TokenRow::*member,
                 std::int64_t pad, Fill&& fill) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(rows.size()), length}, at::kLong);
  auto* out = tensor.mutable_data_ptr<std::int64_t>();
  for (const TokenRow& row : rows) {
    const Numbers& numbers = row.*member;
    if (numbers.empty()) {
      for (std::size_t i = 0; i < row.ids.size(); ++i) out[i] = fill(static_cast<std::int64_t>(i));
    } else {
      std::copy(numbers.begin(), numbers.end(), out);
    }
    std::fill(out + row.ids.size(), out + length, pad);
    out += length;
  }
  return tensor;
}

bool any(std::span<const TokenRow> rows, Numbers TokenRow::*member) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const TokenRow& row) { return !(row.*member).empty(); });
}

at::Tensor label_rows(const at::Tensor& labels) {
  const auto* values = labels.const_data_ptr<std::int64_t>();
  Numbers rows;
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    if (values[i] != kIgnoreLabel) rows.push_back(i);
  }
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(rows.size())}, at::kLong);
  std::copy(rows.begin(), rows.end(), tensor.mutable_data_ptr<std::int64_t>());
  return tensor;
}

}  // namespace

Batch collate(std::span<const TokenRow> rows, std::int64_t pad) {
  require(!rows.empty(), ErrorCode::kInternal, "a batch of no rows was asked for");
  std::size_t longest = 0;
  bool ragged = false;
  for (const TokenRow& row : rows) {
    for (const Numbers* member : {&row.labels, &row.positions, &row.documents, &row.token_types}) {
      require(member->empty() || member->size() == row.ids.size(), ErrorCode::kInternal,
              "a row of ", row.ids.size(), " tokens has ", member->size(), " other numbers");
    }
    ragged = ragged || row.ids.size() != rows[0].ids.size();
    longest = std::max(longest, row.ids.size());
  }
  const auto length = static_cast<std::int64_t>(longest);
  const auto zero = [](std::int64_t) { return std::int64_t{0}; };
  const auto index = [](std::int64_t i) { return i; };
  const auto ignored = [](std::int64_t) { return kIgnoreLabel; };

  Batch batch;
  batch.input.ids = stack(rows, length, &TokenRow::ids, pad, zero);
  if (any(rows, &TokenRow::positions)) {
    batch.input.positions = stack(rows, length, &TokenRow::positions, 0, index);
  }
  if (any(rows, &TokenRow::token_types)) {
    batch.input.token_types = stack(rows, length, &TokenRow::token_types, 0, zero);
  }
  if (ragged || any(rows, &TokenRow::documents)) {
    batch.input.documents = stack(rows, length, &TokenRow::documents, -1, zero);
  }
  if (any(rows, &TokenRow::labels)) {
    batch.labels = stack(rows, length, &TokenRow::labels, kIgnoreLabel, ignored);
    batch.extras[kLabelRows] = label_rows(batch.labels);
  }
  return batch;
}

Batch collate_pairs(std::span<const TokenRow> sources, std::span<const TokenRow> targets,
                    std::int64_t pad) {
  require(sources.size() == targets.size(), ErrorCode::kInternal, "a batch of ", sources.size(),
          " sources and ", targets.size(), " targets was asked for");
  Batch batch = collate(sources, pad);
  Batch other = collate(targets, pad);
  batch.target.ids = std::move(other.input.ids);
  batch.target.positions = std::move(other.input.positions);
  batch.labels = std::move(other.labels);
  batch.extras = std::move(other.extras);
  return batch;
}

}  // namespace llmctl
