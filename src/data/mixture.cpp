#include "data/mixture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"

namespace llmctl {

std::vector<double> tempered_weights(std::vector<double> weights, const std::vector<double>& sizes,
                                     double temperature) {
  if (temperature == 1) return weights;
  double before = 0, after = 0;
  std::vector<double> raised(weights.size(), 0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double share = weights[i] * sizes[i];
    if (share <= 0) continue;
    raised[i] = std::pow(share, 1 / temperature);
    before += share;
    after += raised[i];
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (raised[i] > 0) weights[i] = before * raised[i] / (after * sizes[i]);
  }
  return weights;
}

Mixture::Mixture(std::vector<WeightedShards> corpora, const PackingOptions& packing,
                 const RowFormat& format, std::uint64_t seed, const std::filesystem::path& cache) {
  RowPlanOptions options;
  options.packing = packing_of(packing.packing);
  options.length = packing.sequence_length;
  options.overhead = format.overhead;
  options.drop_end = format.drop_end;
  options.seed = seed;
  std::string identity = concat(packing.packing, ' ', packing.sequence_length, ' ', format.overhead,
                                ' ', format.drop_end, ' ', seed);
  std::string content = identity;
  std::uint64_t tokens = 0;
  for (const WeightedShards& corpus : corpora) {
    require(corpus.weight > 0 && std::isfinite(corpus.weight), ErrorCode::kConfig,
            "the weight of a corpus must be above 0, got ", corpus.weight);
    identity += concat(' ', corpus.shards->fingerprint(), ' ', dump_json(corpus.weight));
    content += concat(' ', corpus.shards->fingerprint());
    tokens += corpus.shards->tokens();
    const auto add = [&](double share, double times) {
      options.share = share;
      const auto plan =
          std::make_shared<const RowPlan>(RowPlan::cached(*corpus.shards, options, cache));
      for (; times >= 1; --times) {
        parts_.push_back({corpus.shards, plan, rows_});
        rows_ += plan->rows();
      }
    };
    const double whole = std::floor(corpus.weight);
    if (whole > 0) add(1, whole);
    if (corpus.weight > whole) add(corpus.weight - whole, 1);
  }
  require(rows_ > 0, ErrorCode::kData, "the corpora give no row to train on: ", tokens,
          " tokens, weights counted");
  if (rows_ == 1 && row_length(0) < packing.sequence_length) {
    log_warning("the corpora fill less than one row: ", row_length(0), " of ",
                packing.sequence_length, " tokens (data.sequence_length)");
  }
  fingerprint_ = sha256_hex(identity);
  content_ = sha256_hex(content);
}

const Mixture::Part& Mixture::part_of(std::uint64_t index) const {
  require(index < rows_, ErrorCode::kInternal, "row ", index, " of ", rows_, " was asked for");
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), index,
                       [](std::uint64_t row, const Part& part) { return row < part.first; });
  return *(after - 1);
}

Mixture::Row Mixture::row(std::uint64_t index) const {
  const Part& part = part_of(index);
  Row row;
  row.shards = part.shards.get();
  part.plan->pieces(index - part.first, row.pieces);
  return row;
}

std::int64_t Mixture::row_length(std::uint64_t index) const {
  const Part& part = part_of(index);
  return part.plan->row_length(index - part.first);
}

}  // namespace llmctl
