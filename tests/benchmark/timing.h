// Time of what measurements call.
#pragma once

#include <algorithm>
#include <chrono>

namespace llmctl {

/// The least seconds of many calls.
template <class Work>
double seconds_of(const Work& work) {
  using Clock = std::chrono::steady_clock;
  double least = 1e9, total = 0;
  for (int i = 0; i < 5 || (total < 1 && i < 2000); ++i) {
    const auto begin = Clock::now();
    work();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (i > 0) least = std::min(least, seconds);  // the first one fetches code and memory
    total += seconds;
  }
  return least;
}

}  // namespace llmctl
