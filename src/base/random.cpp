#include "base/random.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace llmctl {
namespace {

__extension__ using Uint128 = unsigned __int128;

std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}
std::uint64_t join(std::uint32_t lower, std::uint32_t upper) {
  return lower | std::uint64_t{upper} << 32;
}

constexpr int kFeistelRounds = 8;
constexpr std::uint64_t kLargestTable = 256;

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0], product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

RandomKey random_key(std::uint64_t seed, std::string_view purpose, std::uint64_t a, std::uint64_t b,
                     std::uint64_t c) {
  constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ull;
  std::uint64_t stream = hash64(purpose);
  for (const std::uint64_t number : {a, b, c}) stream = mix64(stream ^ mix64(number + kStep));
  return {seed, stream};
}

std::uint64_t Random::next() {
  const std::uint64_t draw = counter_++;
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const std::uint64_t block = draw / 2;
  const auto bits = philox4x32({low(block), high(block), low(key_.stream), high(key_.stream)},
                               {low(key_.seed), high(key_.seed)});
  spare_ = join(bits[2], bits[3]);
  if (draw % 2 == 1) return spare_;
  has_spare_ = true;
  return join(bits[0], bits[1]);
}

double Random::uniform() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

std::uint64_t Random::below(std::uint64_t bound) {
  require(bound > 0, ErrorCode::kInternal, "a random number below 0 was asked for");
  // Lemire 2019: the high word of a product, a few low words refused so that no value is favoured.
  Uint128 product = Uint128{next()} * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t refused = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < refused) product = Uint128{next()} * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u is in (0, 1]
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Permutation::Permutation(std::uint64_t size, RandomKey key)
    : size_(size),
      half_bits_((std::bit_width(size - 1) + 1) / 2),
      key_{mix64(key.seed + 1), mix64(key.stream + 1)} {
  if (size > kLargestTable) return;
  table_.resize(static_cast<std::size_t>(size));
  std::iota(table_.begin(), table_.end(), std::uint16_t{0});
  Random random(key_);
  for (std::size_t left = table_.size(); left > 1; --left) {  // Fisher and Yates
    std::swap(table_[left - 1], table_[static_cast<std::size_t>(random.below(left))]);
  }
}

std::uint64_t Permutation::operator()(std::uint64_t index) const {
  require(index < size_, ErrorCode::kInternal, "position ", index, " of a permutation of ", size_);
  if (!table_.empty()) return table_[static_cast<std::size_t>(index)];
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  do {
    std::uint64_t left = index >> half_bits_, right = index & mask;
    for (int round = 0; round < kFeistelRounds; ++round) {
      const std::uint64_t salt = round % 2 == 0 ? key_.seed : key_.stream;
      const std::uint64_t mixed =
          mix64(salt ^ mix64(right + (static_cast<std::uint64_t>(round) << 56)));
      const std::uint64_t next = (left ^ (mixed >> 32)) & mask;
      left = right;
      right = next;
    }
    index = left << half_bits_ | right;
  } while (index >= size_);
  return index;
}

}  // namespace llmctl
