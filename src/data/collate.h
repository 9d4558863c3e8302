// Rows of numbers become a Batch of host tensors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/batch.h"

namespace llmctl {

/// One row before padding. Vectors other than ids have its length or are empty.
struct TokenRow {
  std::vector<std::int64_t> ids = {};
  std::vector<std::int64_t> labels = {};  ///< kIgnoreLabel where nothing is to be predicted; empty:
                                          ///< nothing anywhere
  std::vector<std::int64_t> positions = {};  ///< empty: 0, 1, …
  std::vector<std::int64_t> documents = {};  ///< index of the document within the row; empty: all 0
  std::vector<std::int64_t> token_types = {};  ///< empty: all 0
};

/// Name of the extra that holds the flat positions b * T + t of all labels that are not
/// kIgnoreLabel, ascending, so that no device has to look for them.
inline constexpr char kLabelRows[] = "label_rows";

/// Pads to the longest row (ids with `pad`, labels with kIgnoreLabel, documents with -1) and adds
/// kLabelRows. Tensors that say nothing stay undefined: positions that are 0 … T-1 in every row,
/// token types that are all 0, documents where no row is padded or packed.
Batch collate(std::span<const TokenRow> rows, std::int64_t pad);

/// Two sequences a row: `sources` become Batch::input, `targets` Batch::target with its labels. A
/// target's padding stands behind what a causal decoder sees, so that nothing marks it.
Batch collate_pairs(std::span<const TokenRow> sources, std::span<const TokenRow> targets,
                    std::int64_t pad);

}  // namespace llmctl
