// Counter-based randomness: every draw is a function of (seed, purpose, step, row, index), so that
// a run resumes and seeks in O(1) and no generator state is ever saved. Philox4x32-10 (Salmon et
// al., SC 2011).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace llmctl {

/// One block of Philox4x32-10: 128 random bits of a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Names one stream of draws. Keys of different purposes, steps or rows are independent.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< hash of the purpose and the numbers given to key()
};

/// A key from the seed, a purpose ("masking", "sampling", …) and up to three numbers (step, row,
/// …).
RandomKey random_key(std::uint64_t seed, std::string_view purpose, std::uint64_t a = 0,
                     std::uint64_t b = 0, std::uint64_t c = 0);

/// The draws of a key in order; cheap to make and to copy.
class Random {
 public:
  explicit Random(RandomKey key, std::uint64_t first = 0) : key_(key), counter_(first) {}
  std::uint64_t next();                      ///< 64 uniform bits
  double uniform();                          ///< in [0, 1), 53 bits
  std::uint64_t below(std::uint64_t bound);  ///< in [0, bound), unbiased; bound > 0
  double normal();                           ///< mean 0, variance 1 (Box-Muller)

 private:
  RandomKey key_;
  std::uint64_t counter_;    // of the next draw; a block of Philox gives two
  std::uint64_t spare_ = 0;  // the second draw of the block that the last call computed
  bool has_spare_ = false;
};

/// A keyed permutation of {0, …, size-1}, position i in O(1) without a shuffle buffer: a Feistel
/// network with cycle walking; up to 256 positions, where such a network favours some orders, a
/// shuffled table.
class Permutation {
 public:
  Permutation(std::uint64_t size, RandomKey key);
  std::uint64_t operator()(std::uint64_t index) const;  ///< index < size

 private:
  std::uint64_t size_;
  int half_bits_;
  RandomKey key_;
  std::vector<std::uint16_t> table_;
};

}  // namespace llmctl
