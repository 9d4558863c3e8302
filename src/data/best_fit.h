// Pieces of some lengths in as few rows as best fit decreasing needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmctl {

struct Packed {
  std::vector<std::uint32_t> row_of;  ///< of each piece, counted from 0
  std::uint32_t rows = 0;
};

/// The longest piece first, each into the tightest row of `capacity` that still has room for it and
/// `overhead` more (best fit decreasing; Johnson et al., 1974), in O(pieces) beside sorting. No
/// piece may be longer than a row.
Packed best_fit(std::span<const std::uint32_t> lengths, std::size_t capacity,
                std::size_t overhead = 0);

}  // namespace llmctl
