#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "support/expect_error.h"

namespace llmctl {
namespace {

using Block = std::array<std::uint32_t, 4>;

// The known answers published with Random123 (kat_vectors, philox4x32 10).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Resumed runs of earlier versions depend on these values: they never change.
TEST(Random, IsTheSameForever) {
  const RandomKey key = random_key(1234, "masking", 7, 3);
  EXPECT_EQ(key.stream, 0x810b71d8ae7bc611ull);
  Random random(key);
  EXPECT_EQ(random.next(), 0xf2de0ade22604638ull);
  EXPECT_EQ(random.next(), 0x9e17ffb0019e2747ull);
  EXPECT_EQ(random.next(), 0x1b600b63f3dbe309ull);
  EXPECT_EQ(random.next(), 0xac615e165eaaba47ull);
}

TEST(Random, SeeksToAnyDraw) {
  const RandomKey key = random_key(5, "sampling");
  std::vector<std::uint64_t> draws;
  Random all(key);
  for (int i = 0; i < 20; ++i) draws.push_back(all.next());
  for (std::uint64_t first = 0; first < 20; ++first) {
    Random part(key, first);
    for (std::size_t i = first; i < 20; ++i) EXPECT_EQ(part.next(), draws[i]);
  }
}

TEST(Random, KeysOfDifferentPurposesAndNumbersDiffer) {
  std::set<std::uint64_t> firsts;
  int keys = 0;
  for (std::uint64_t seed : {0, 1}) {
    for (const char* purpose : {"", "masking", "sampling"}) {
      for (std::uint64_t a : {0, 1, 2}) {
        for (std::uint64_t b : {0, 1, 2}) {
          for (std::uint64_t c : {0, 1, 2}) {
            firsts.insert(Random(random_key(seed, purpose, a, b, c)).next());
            ++keys;
          }
        }
      }
    }
  }
  EXPECT_EQ(firsts.size(), static_cast<std::size_t>(keys));
}

TEST(Random, UniformIsInItsIntervalWithTheRightMoments) {
  Random random(random_key(1, "uniform"));
  double sum = 0, squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.005);
}

TEST(Random, NormalHasTheRightMomentsAndTails) {
  Random random(random_key(1, "normal"));
  double sum = 0, squares = 0, fourth = 0;
  int beyond_two = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    if (std::fabs(x) > 2) ++beyond_two;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3, 0.15);
  EXPECT_NEAR(beyond_two / double{kDraws}, 0.0455, 0.004);
}

TEST(Random, BelowIsInBoundsAndFavoursNobody) {
  Random random(random_key(1, "below"));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts.at(random.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 450);
  // A bound just above half of the range, where plain remainders would give every low value twice.
  constexpr std::uint64_t kBound = (std::uint64_t{1} << 63) + (std::uint64_t{1} << 62);
  int low_third = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::uint64_t draw = random.below(kBound);
    ASSERT_LT(draw, kBound);
    if (draw < kBound / 3) ++low_third;
  }
  EXPECT_NEAR(low_third, 10'000, 400);
  test::expect_error(ErrorCode::kInternal, "a random number below 0 was asked for",
                     [&] { random.below(0); });
}

TEST(Permutation, VisitsEveryPositionOnce) {
  for (const std::uint64_t size :
       {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64, 65, 100, 255, 256, 257, 1000, 4096, 4097, 10'007}) {
    for (const std::uint64_t seed : {0, 1, 2}) {
      const Permutation permutation(size, random_key(seed, "order"));
      std::vector<bool> seen(size);
      for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t to = permutation(i);
        ASSERT_LT(to, size);
        ASSERT_FALSE(seen[to]);
        seen[to] = true;
      }
    }
  }
}

TEST(Permutation, OfHugeSizesStaysInside) {
  for (const std::uint64_t size :
       {std::uint64_t{1} << 32, (std::uint64_t{1} << 40) + 1, ~std::uint64_t{0}}) {
    const Permutation permutation(size, random_key(9, "order"));
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const std::uint64_t to = permutation(size - 1 - i);
      ASSERT_LT(to, size);
      seen.insert(to);
    }
    EXPECT_EQ(seen.size(), 1000u);
  }
}

std::vector<std::uint64_t> beginning(const Permutation& permutation) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = 0; i < 10; ++i) order.push_back(permutation(i));
  return order;
}

// Computed by a second implementation (in Python) of what the header says.
TEST(Permutation, IsTheSameForever) {
  const RandomKey key = random_key(1234, "epoch", 1);
  EXPECT_EQ(beginning(Permutation(10, key)),
            (std::vector<std::uint64_t>{8, 3, 1, 2, 7, 5, 9, 6, 0, 4}));
  EXPECT_EQ(beginning(Permutation(1000, key)),
            (std::vector<std::uint64_t>{651, 773, 100, 592, 488, 647, 762, 740, 407, 722}));
}

TEST(Permutation, KeysChangeTheOrder) {
  std::set<std::vector<std::uint64_t>> orders;
  for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
    const Permutation permutation(100, random_key(1, "epoch", epoch));
    std::vector<std::uint64_t> order(100);
    for (std::uint64_t i = 0; i < 100; ++i) order[i] = permutation(i);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 50u);
}

// Over many keys each order of a few positions comes about equally often.
TEST(Permutation, OfFewIsFair) {
  for (const std::uint64_t size : {2, 3, 4, 5}) {
    std::map<std::vector<std::uint64_t>, int> counts;
    constexpr int kKeys = 60'000;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      const Permutation permutation(size, random_key(key, "order"));
      std::vector<std::uint64_t> order(size);
      for (std::uint64_t i = 0; i < size; ++i) order[i] = permutation(i);
      ++counts[order];
    }
    std::size_t orders = 1;
    for (std::uint64_t i = 2; i <= size; ++i) orders *= i;
    ASSERT_EQ(counts.size(), orders) << "size " << size;
    const double expected = kKeys / static_cast<double>(orders);
    for (const auto& [order, count] : counts) EXPECT_NEAR(count, expected, expected * 0.12);
  }
}

// Neighbours part: no correlation between a position and where it goes, nor between steps.
TEST(Permutation, MixesWell) {
  constexpr std::uint64_t kSize = 10'000;
  const Permutation permutation(kSize, random_key(3, "order"));
  double covariance = 0, ascents = 0;
  for (std::uint64_t i = 0; i < kSize; ++i) {
    covariance += (static_cast<double>(i) - kSize / 2.0) *
                  (static_cast<double>(permutation(i)) - kSize / 2.0);
    if (i > 0 && permutation(i) > permutation(i - 1)) ++ascents;
  }
  const double variance = kSize * (kSize * double{kSize} / 12);
  EXPECT_NEAR(covariance / variance, 0, 0.04);
  EXPECT_NEAR(ascents / kSize, 0.5, 0.02);
}

TEST(Permutation, RefusesPositionsOutside) {
  const Permutation permutation(3, random_key(1, "order"));
  test::expect_error(ErrorCode::kInternal, "position 3 of a permutation of 3",
                     [&] { permutation(3); });
  test::expect_error(ErrorCode::kInternal, "position 0 of a permutation of 0",
                     [&] { Permutation(0, random_key(1, "order"))(0); });
}

}  // namespace
}  // namespace llmctl
