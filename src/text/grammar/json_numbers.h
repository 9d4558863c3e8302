// Numbers within bounds as expressions over digits.
#pragma once

#include <cstdint>
#include <optional>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

struct NumberBounds {
  std::optional<std::int64_t> least, most;
  bool above_least = false, below_most = false;  ///< the bound itself is left out
};

/// Integers within the bounds, without leading zeros; where a bound is absent, up to 16 digits (or
/// as many as the other bound has). Nothing where there is none.
Expr integers_within(NumberBounds bounds);

/// Decimal numbers within the bounds, with up to 6 digits behind the point and no exponent.
Expr decimals_within(const NumberBounds& bounds);

}  // namespace llmctl::grammar
