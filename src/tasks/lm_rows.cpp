#include "tasks/lm_rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/signals.h"

namespace llmctl {

RowSource::RowSource(Mixture mixture, const Batching& batching, MakeRow make_row, std::int64_t pad)
    : mixture_(std::move(mixture)),
      order_(mixture_.rows(), batching),
      seed_(batching.seed),
      make_row_(std::move(make_row)),
      pad_(pad) {}

std::vector<Batch> RowSource::batches(std::int64_t step) const {
  const auto length = [this](std::uint64_t row) { return mixture_.row_length(row); };
  std::vector<Batch> batches;
  for (const std::vector<RowUse>& uses : order_.micro_batches(step, length)) {
    std::vector<TokenRow> rows;
    rows.reserve(uses.size());
    for (const RowUse& use : uses) {
      const Mixture::Row row = mixture_.row(use.row);
      rows.push_back(
          make_row_(*row.shards, row.pieces, random_key(seed_, "masking", use.epoch, use.row)));
    }
    batches.push_back(collate(rows, pad_));
  }
  return batches;
}

void for_each_row_batch(const PlannedRows& planned, std::int64_t batch_size, const World& world,
                        const std::function<void(const Batch&)>& use) {
  const auto& [shards, plan, make_row, pad] = planned;
  require(batch_size > 0, ErrorCode::kConfig, "a batch size of ", batch_size);
  std::vector<std::pair<std::int64_t, std::uint64_t>> order;  // length, row
  order.reserve(plan.rows());
  for (std::uint64_t row = 0; row < plan.rows(); ++row) {
    order.emplace_back(plan.row_length(row), row);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<TokenRow> rows;
  std::vector<RowPiece> pieces;
  for (std::size_t i = static_cast<std::size_t>(world.rank()); i < order.size();
       i += static_cast<std::size_t>(world.size())) {
    plan.pieces(order[i].second, pieces);
    rows.push_back(make_row(shards, pieces, random_key(0, "validation masking", order[i].second)));
    const bool last = i + static_cast<std::size_t>(world.size()) >= order.size();
    if (last || rows.size() == static_cast<std::size_t>(batch_size)) {
      stop_if_asked();
      use(collate(rows, pad));
      rows.clear();
    }
  }
}

RowPlanOptions validation_plan(const PackingOptions& packing, const RowFormat& format,
                               std::int64_t max_tokens) {
  RowPlanOptions options;
  options.packing = packing_of(packing.packing);
  options.length = packing.sequence_length;
  options.overhead = format.overhead;
  options.drop_end = format.drop_end;
  options.max_tokens = static_cast<std::uint64_t>(std::max<std::int64_t>(max_tokens, 0));
  return options;
}

void add_to(at::Tensor& sum, const at::Tensor& value) {
  sum = sum.defined() ? sum.add(value) : value;
}

double value_of(const at::Tensor& sum) {
  return sum.defined() ? sum.item<double>() : 0.0;
}

}  // namespace llmctl
