// How the token stream of one corpus is cut into rows: computed once, cached, memory-mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "io/shards.h"

namespace llmctl {

enum class Packing {
  kConcat,   ///< one stream cut every `length` tokens; documents see each other
  kBestFit,  ///< documents whole where they fit, rows filled by best fit decreasing
  kPad       ///< one document, or piece of a long one, per row
};

/// "concat", "best_fit", "pad"; kConfig for others.
Packing packing_of(const std::string& name);

struct RowPlanOptions {
  Packing packing = Packing::kBestFit;
  std::int64_t length = 512;     ///< tokens of a row
  std::int64_t overhead = 0;     ///< of which each piece (with kConcat each row) spends so many on
                                 ///< special tokens that are not in the stream
  bool drop_end = false;         ///< leave each document's end token out (not with kConcat)
  double share = 1;              ///< take only this share of the documents, by hash of their index
  std::uint64_t seed = 0;        ///< of that hash
  std::uint64_t max_tokens = 0;  ///< take only so many tokens from the stream's begin; 0: all
};

/// Tokens [begin, begin + length) of the stream.
struct RowPiece {
  std::uint64_t begin = 0;
  std::uint32_t length = 0;
  bool operator==(const RowPiece&) const = default;
};

/// Rows as lists of pieces. Every token that the options take is in exactly one piece of one row;
/// with kBestFit and kPad no piece crosses a document's border. Best fit decreasing (Johnson et
/// al., 1974) over a few million pieces at a time, in O(pieces).
class RowPlan {
 public:
  RowPlan(const Shards& shards, const RowPlanOptions& options);
  /// The same, from `cache` where it is there already; written there otherwise. kCannotCreate, kIo.
  static RowPlan cached(const Shards& shards, const RowPlanOptions& options,
                        const std::filesystem::path& cache);

  std::uint64_t rows() const { return rows_; }
  /// The pieces of a row; kData when a cached plan names tokens that are not there.
  void pieces(std::uint64_t row, std::vector<RowPiece>& out) const;
  /// Tokens of the row, special ones counted.
  std::int64_t row_length(std::uint64_t row) const;

 private:
  RowPlan() = default;
  bool implicit() const;
  void write(const std::filesystem::path& path) const;
  bool open(const std::filesystem::path& path);

  RowPlanOptions options_;
  std::uint64_t tokens_ = 0;  // of the stream that is taken
  std::uint64_t rows_ = 0;
  // Row r has pieces row_starts_[r] … row_starts_[r + 1] - 1, unless every row follows from r
  // alone (the whole stream, cut every so many tokens).
  std::span<const std::uint64_t> row_starts_, begins_;
  std::span<const std::uint32_t> lengths_;
  std::vector<std::uint64_t> own_row_starts_, own_begins_;
  std::vector<std::uint32_t> own_lengths_;
  MappedFile file_;
  std::filesystem::path path_;
};

}  // namespace llmctl
