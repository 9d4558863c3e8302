// What language modelling tasks share: rows of a mixture as a training source, rows of held-out
// shards in batches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/world.h"
#include "data/batching.h"
#include "data/collate.h"
#include "data/mixture.h"
#include "train/interfaces.h"

namespace llmctl {

/// Makes a row from its pieces; everything drawn for it comes from the key.
using MakeRow = std::function<TokenRow(const Shards&, std::span<const RowPiece>, RandomKey)>;

/// Training rows of a mixture, in the order of RowOrder; keys are random_key(seed, "masking",
/// epoch, row).
class RowSource : public Source {
 public:
  RowSource(Mixture mixture, const Batching& batching, MakeRow make_row, std::int64_t pad);
  std::int64_t steps_per_epoch() const override { return order_.steps_per_epoch(); }
  std::vector<Batch> batches(std::int64_t step) const override;
  std::string fingerprint() const override { return mixture_.fingerprint(); }
  std::string content() const override { return mixture_.content(); }

 private:
  Mixture mixture_;
  RowOrder order_;
  std::uint64_t seed_;
  MakeRow make_row_;
  std::int64_t pad_;
};

/// All rows of a plan, and what they become.
struct PlannedRows {
  const Shards& shards;
  const RowPlan& plan;
  const MakeRow& make_row;
  std::int64_t pad = 0;
};

/// Calls `use` with this rank's batches of the rows, rows of like length together. Keys are
/// random_key(0, "validation masking", row).
void for_each_row_batch(const PlannedRows& planned, std::int64_t batch_size, const World& world,
                        const std::function<void(const Batch&)>& use);

/// What is scored of held-out text beside its loss and perplexity.
struct LmScores {
  bool accuracy = false;       ///< share of labelled tokens that are the model's best
  bool bits_per_byte = false;  ///< of the documents' text, where all of it is scored
};

/// Plan options for held-out shards.
RowPlanOptions validation_plan(const PackingOptions& packing, const RowFormat& format,
                               std::int64_t max_tokens);

/// Adds on the values' device, so that a loop need not wait for them; undefined counts as 0.
void add_to(at::Tensor& sum, const at::Tensor& value);
double value_of(const at::Tensor& sum);

}  // namespace llmctl
