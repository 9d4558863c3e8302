// Counting n-grams without copying them: each different n-gram of some sequences gets a number, and
// the number of the next longer one follows from it and its last unit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace llmctl {

/// Numbers keys from 0 in the order in which they first come (an open hash table).
template <class Key>
class Numbering {
 public:
  /// Forgets all; there is room for `most` different keys.
  void clear(std::size_t most) {
    std::size_t size = 16;
    while (size < 2 * most) size *= 2;
    slots_.assign(size, kFree);
    keys_.clear();
  }

  std::uint32_t operator()(const Key& key) {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t hash = std::hash<Key>()(key) * 0x9E3779B97F4A7C15u;
    for (std::size_t at = (hash ^ (hash >> 32)) & mask;; at = (at + 1) & mask) {
      if (slots_[at] == kFree) {
        slots_[at] = static_cast<std::uint32_t>(keys_.size());
        keys_.push_back(key);
        return slots_[at];
      }
      if (keys_[slots_[at]] == key) return slots_[at];
    }
  }

  std::size_t size() const { return keys_.size(); }

 private:
  static constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> slots_;
  std::vector<Key> keys_;
};

/// The units (words, characters) of a sequence, as numbers.
using Units = std::vector<std::uint32_t>;

/// Walks the n-grams of some sequences together, order by order from 1.
class NgramWalk {
 public:
  explicit NgramWalk(std::vector<Units> sequences)
      : units_(std::move(sequences)), ids_(units_.size()) {
    numbering_.clear(total(units_));
    for (std::size_t s = 0; s < units_.size(); ++s)
      for (const std::uint32_t unit : units_[s]) ids_[s].push_back(numbering_(unit));
  }

  /// To the n-grams that are one unit longer.
  void lengthen() {
    numbering_.clear(total(ids_));
    ++order_;
    for (std::size_t s = 0; s < units_.size(); ++s) {
      Units& ids = ids_[s];
      if (!ids.empty()) ids.pop_back();
      for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = numbering_(std::uint64_t{ids[i]} << 32 | units_[s][i + order_ - 1]);
    }
  }

  /// Of a sequence, from left to right; equal n-grams of any sequence have the same number.
  const Units& ngrams(std::size_t sequence) const { return ids_[sequence]; }

  /// How often each n-gram stands in the sequence.
  void count(std::size_t sequence, std::vector<std::uint32_t>& counts) const {
    counts.assign(numbering_.size(), 0);
    for (const std::uint32_t id : ids_[sequence]) ++counts[id];
  }

 private:
  static std::size_t total(const std::vector<Units>& sequences) {
    std::size_t sum = 0;
    for (const Units& sequence : sequences) sum += sequence.size();
    return sum;
  }

  std::size_t order_ = 1;
  std::vector<Units> units_, ids_;
  Numbering<std::uint64_t> numbering_;
};

/// N-grams that two counts share.
inline double shared_ngrams(const std::vector<std::uint32_t>& a,
                            const std::vector<std::uint32_t>& b) {
  double sum = 0;
  for (std::size_t id = 0; id < a.size(); ++id) sum += std::min(a[id], b[id]);
  return sum;
}

}  // namespace llmctl
