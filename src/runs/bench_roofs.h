// What this machine can do at best: the roofs that speeds are compared with.
#pragma once

#include <optional>

#include "config/json.h"

namespace llmctl {

/// With LibTorch's threads.
struct Roofs {
  double read = 0;  ///< bytes/s read from memory
  double fp32 = 0;  ///< operations/s of large products, a multiply-add being two
  /// The same of bf16 and int8, where the processor has instructions for them; where it has none,
  /// their products are those of fp32 after a conversion.
  std::optional<double> bf16, int8;

  Json to_json() const;  ///< GB/s and GFLOP/s
};

/// Each the best of several repetitions within about `seconds`.
Roofs measure_roofs(double seconds);

/// Each the better of the two.
Roofs best_of(const Roofs& a, const Roofs& b);
/// The largest change between two measurements of a roof, as a fraction.
double drift(const Roofs& a, const Roofs& b);

}  // namespace llmctl
