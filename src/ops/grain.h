// How work is cut for at::parallel_for. Private to ops/.
#pragma once

#include <algorithm>
#include <cstdint>

namespace llmctl {

/// Numbers that one task takes at least, so that it is worth waking a thread.
inline constexpr std::int64_t kGrain = 16384;

/// The same in rows of `columns`.
inline std::int64_t row_grain(std::int64_t columns) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(columns, 1));
}

}  // namespace llmctl
