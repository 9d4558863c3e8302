#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "optim/optimizer.h"

namespace llmctl {

double learning_rate(const OptimConfig& config, std::int64_t step, std::int64_t total) {
  const std::int64_t warmup = config.warmup_steps;
  // The first update already learns, the last of the warm-up has the full rate.
  if (step < warmup) {
    return config.lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  }
  const double least = config.lr * config.min_lr_ratio;
  if (config.schedule == "constant") return config.lr;
  if (config.schedule == "inverse_sqrt") {
    const std::int64_t start = std::max<std::int64_t>(warmup, 1);
    const double rate = config.lr * std::sqrt(static_cast<double>(start) /
                                              static_cast<double>(std::max(step, start)));
    return std::max(rate, least);
  }
  const std::int64_t end = config.decay_steps > 0 ? config.decay_steps : total;
  if (step >= end) return least;
  // From the full rate at the first step behind the warm-up to the least at the last.
  const double span = static_cast<double>(std::max<std::int64_t>(end - 1 - warmup, 1));
  const double progress = std::min(1.0, static_cast<double>(step - warmup) / span);
  if (config.schedule == "linear") return config.lr + (least - config.lr) * progress;
  require(config.schedule == "cosine", ErrorCode::kInternal, "no schedule '", config.schedule, "'");
  return least + (config.lr - least) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace llmctl
