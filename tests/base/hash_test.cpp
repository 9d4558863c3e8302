#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

// FIPS 180-4's examples.
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillionA =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256_hex(""), kEmpty);
  EXPECT_EQ(sha256_hex("abc"), kAbc);
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')), kMillionA);
}

TEST(Sha256, PiecesMakeNoDifference) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.hex(), kMillionA);
}

TEST(Sha256, OfAFileLargerThanItsBuffer) {
  const test::TempDir dir;
  EXPECT_EQ(sha256_file(dir.write("a", std::string(1'000'000, 'a'))), kMillionA);
  EXPECT_EQ(sha256_file(dir.write("big", std::string(3'000'001, 'x'))),
            sha256_hex(std::string(3'000'001, 'x')));
  EXPECT_EQ(sha256_file(dir.write("empty", "")), kEmpty);
  test::expect_error(ErrorCode::kMissing, testing::EndsWith("/none: no such file"),
                     [&] { sha256_file(dir / "none"); });
}

// Splits and caches of users depend on these values: they never change.
TEST(Hash64, IsTheSameForever) {
  EXPECT_EQ(hash64(""), 0xf52a15e9a9b5e89bull);
  EXPECT_EQ(hash64("a"), 0x02c0bdbf481420f8ull);
  EXPECT_EQ(hash64("中文"), 0x0f0b8154762618b1ull);
  EXPECT_EQ(hash64("a", 1), 0xedb296206f5cd587ull);
  EXPECT_EQ(hash64("The quick brown fox", 0xdeadbeef), 0x5ca1e1403e1517acull);
}

TEST(HashFraction, IsItsTopBits) {
  EXPECT_EQ(hash_fraction("中文"), static_cast<double>(0x0f0b8154762618b1ull >> 11) * 0x1p-53);
  EXPECT_NE(hash_fraction("中文", 1), hash_fraction("中文"));
}

TEST(Hash64, SpreadsNearInputsEvenly) {
  std::set<std::uint64_t> seen;
  std::vector<int> buckets(100);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t hash = hash64("document " + std::to_string(i));
    seen.insert(hash);
    ++buckets[hash % 100];
  }
  EXPECT_EQ(seen.size(), 20'000u);
  double chi_square = 0;
  for (const int count : buckets) chi_square += (count - 200.0) * (count - 200.0) / 200;
  EXPECT_LT(chi_square, 160);  // 99 degrees of freedom: mean 99, deviation 14
}

TEST(Mix64, IsABijectionThatFixesZero) {
  EXPECT_EQ(mix64(0), 0u);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(mix64(i));
  EXPECT_EQ(seen.size(), 1000u);
}

}  // namespace
}  // namespace llmctl
