// What this machine can do at best: the roofs that speeds are compared with.
#pragma once

#include <optional>

#include "config/json.h"

namespace llmctl {

/// With LibTorch's threads.
struct Roofs {
  double read = 0;             ///< bytes/s read from memory
  double fp32 = 0, bf16 = 0;   ///< operations/s of large products, a multiply-add being two
  std::optional<double> int8;  ///< where the CPU multiplies int8

  Json to_json() const;  ///< GB/s and GFLOP/s
};

/// Each the best of several repetitions within about `seconds`.
Roofs measure_roofs(double seconds);

/// Each the better of the two.
Roofs best_of(const Roofs& a, const Roofs& b);
/// The largest change between two measurements of a roof, as a fraction.
double drift(const Roofs& a, const Roofs& b);

}  // namespace llmctl
