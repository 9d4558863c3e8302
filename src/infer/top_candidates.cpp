#include "infer/top_candidates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/kernels/select.h"

namespace llmctl {
namespace {

/// Scores looked at between two looks at the limit.
constexpr std::size_t kBlock = 1024;
constexpr double kNone = -std::numeric_limits<double>::infinity();

}  // namespace

void TopCandidates::reset(std::size_t most) {
  most_ = most;
  best_.clear();
}

double TopCandidates::limit() const {
  return best_.size() < most_ ? kNone : best_.back().rank;
}

void TopCandidates::insert(const Continuation& candidate) {
  if (best_.size() == most_) best_.pop_back();
  const auto place =
      std::upper_bound(best_.begin(), best_.end(), candidate.rank,
                       [](double rank, const Continuation& other) { return rank > other.rank; });
  best_.insert(place, candidate);
}

void TopCandidates::add(std::size_t row, const RowScores& scores, double so_far) {
  const double offset = so_far + scores.offset;
  std::array<std::uint32_t, kBlock> found;
  for (std::size_t begin = 0; begin < scores.values.size(); begin += kBlock) {
    const std::size_t size = std::min(kBlock, scores.values.size() - begin);
    // One step below, since the limit is rounded to fp32: the exact comparison follows.
    const auto least = static_cast<float>(limit() - offset);
    const std::size_t count = kernels::indices_above(
        scores.values.data() + begin, size,
        std::nextafter(least, -std::numeric_limits<float>::infinity()), found.data());
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = static_cast<TokenId>(begin + found[i]);
      const double score = scores.of(id) + so_far;
      if (score > limit() && scores.possible(id)) insert({score, row, id, score});
    }
  }
}

void TopCandidates::add_drawn(std::size_t row, const RowScores& scores, double so_far,
                              RandomKey key) {
  Random random(key);
  for (TokenId id = 0; id < std::ssize(scores.values); ++id) {
    const double noise = -std::log(-std::log(random.uniform()));
    const double score = scores.of(id) + so_far, rank = score + noise;
    if (rank > limit() && scores.possible(id)) insert({score, row, id, rank});
  }
}

std::vector<Continuation>& TopCandidates::sorted() {
  std::sort(best_.begin(), best_.end(), [](const Continuation& a, const Continuation& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.row != b.row ? a.row < b.row : a.id < b.id;
  });
  return best_;
}

}  // namespace llmctl
