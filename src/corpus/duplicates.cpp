#include "corpus/duplicates.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"

namespace llmctl {
namespace {

struct Keyed {
  std::uint64_t key;
  std::uint32_t place;
  bool operator<(const Keyed& other) const {
    return key != other.key ? key < other.key : place < other.place;
  }
};

/// Groups that hang together; each is named by its first member.
class Groups {
 public:
  explicit Groups(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  std::uint32_t first_of(std::uint32_t i) {
    while (parent_[i] != i) {
      parent_[i] = parent_[parent_[i]];
      i = parent_[i];
    }
    return i;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = first_of(a);
    b = first_of(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace

std::vector<bool> repeated_keys(std::span<const std::uint64_t> keys, std::size_t memory) {
  std::vector<bool> repeated(keys.size());
  const std::size_t passes =
      std::max<std::size_t>(1, (keys.size() * sizeof(Keyed) + memory - 1) / memory);
  std::vector<Keyed> some;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    some.clear();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (mix64(keys[i]) % passes == pass) some.push_back({keys[i], static_cast<std::uint32_t>(i)});
    }
    std::sort(some.begin(), some.end());
    for (std::size_t i = 1; i < some.size(); ++i) {
      if (some[i].key == some[i - 1].key) repeated[some[i].place] = true;
    }
  }
  return repeated;
}

std::unordered_map<std::uint32_t, std::uint32_t> mark_near_duplicates(
    std::span<const Signature> signatures, double threshold, std::vector<bool>& dropped) {
  constexpr std::size_t kRows = 3, kBands = Signature::kSize / kRows;
  Groups groups(signatures.size());
  std::vector<Keyed> band;
  for (std::size_t b = 0; b < kBands; ++b) {
    band.clear();
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      if (dropped[i]) continue;
      const auto& values = signatures[i].values;
      // A text without words has no shingles: it is like no other.
      if (values[0] == 0xFFFFFFFF && values[1] == 0xFFFFFFFF) continue;
      std::uint64_t key = b + 1;
      for (std::size_t r = 0; r < kRows; ++r) key = mix64(key ^ values[b * kRows + r]);
      band.push_back({key, static_cast<std::uint32_t>(i)});
    }
    std::sort(band.begin(), band.end());
    std::size_t first = 0;  // of those with the same key
    for (std::size_t i = 1; i < band.size(); ++i) {
      if (band[i].key != band[first].key) {
        first = i;
        continue;
      }
      // With the first, and the one before: a chain of small changes hangs together too.
      for (const std::size_t other : {first, i - 1}) {
        const std::uint32_t a = band[other].place, c = band[i].place;
        if (groups.first_of(a) == groups.first_of(c)) continue;
        if (similarity(signatures[a], signatures[c]) >= threshold) groups.join(a, c);
      }
    }
  }
  std::unordered_map<std::uint32_t, std::uint32_t> like;
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const auto place = static_cast<std::uint32_t>(i);
    const std::uint32_t first = groups.first_of(place);
    if (first == place) continue;
    dropped[i] = true;
    like[place] = first;
  }
  return like;
}

}  // namespace llmctl
