// Whole numbers in data, however they are written.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

namespace llmctl {

/// The integer that a number is: 3 of 3.0, as data frames write a column with empty cells. Nothing
/// where it has a fraction, is no number, or is beyond what a double holds exactly (2^53).
inline std::optional<std::int64_t> whole_number(double number) {
  if (std::nearbyint(number) != number || std::abs(number) >= 0x1p53) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace llmctl
