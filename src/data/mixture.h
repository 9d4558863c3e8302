// Rows of a mixture of corpora.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/row_plan.h"
#include "io/shards.h"

namespace llmctl {

/// One corpus of the mixture. Weight: passes per epoch (1 once, 0.5 every second document by hash,
/// 2.5 twice and every second document a third time).
struct WeightedShards {
  std::shared_ptr<const Shards> shards;
  double weight = 1.0;
};

/// The weights of sources with these sizes under temperature T (Arivazhagan et al., 2019): shares
/// of weight · size, raised to 1 / T and scaled so that an epoch stays as long. 1 leaves them as
/// they are; the higher, the more do small sources come up to large ones. Sources of size 0 keep
/// theirs.
std::vector<double> tempered_weights(std::vector<double> weights, const std::vector<double>& sizes,
                                     double temperature);

/// How documents are cut into rows of `sequence_length` tokens.
struct PackingOptions {
  std::string packing = "best_fit";  ///< a name of packing_of()
  std::int64_t sequence_length = 512;
};

/// What an objective puts around each piece of text.
struct RowFormat {
  std::int64_t overhead = 0;  ///< special tokens
  bool drop_end = false;      ///< leave the document's own end token out
};

/// All rows of an epoch, corpus after corpus.
class Mixture {
 public:
  /// Plans are cached in `cache`. kData when there is no row at all.
  Mixture(std::vector<WeightedShards> corpora, const PackingOptions& packing,
          const RowFormat& format, std::uint64_t seed, const std::filesystem::path& cache);

  std::uint64_t rows() const { return rows_; }

  struct Row {
    const Shards* shards = nullptr;
    std::vector<RowPiece> pieces;
  };
  Row row(std::uint64_t index) const;
  std::int64_t row_length(std::uint64_t index) const;

  /// Of the contents, the weights and how rows are cut.
  const std::string& fingerprint() const { return fingerprint_; }
  /// The same without the weights.
  const std::string& content() const { return content_; }

 private:
  struct Part {
    std::shared_ptr<const Shards> shards;
    std::shared_ptr<const RowPlan> plan;
    std::uint64_t first = 0;  ///< index of its first row
  };
  const Part& part_of(std::uint64_t index) const;

  std::vector<Part> parts_;
  std::uint64_t rows_ = 0;
  std::string fingerprint_, content_;
};

}  // namespace llmctl
