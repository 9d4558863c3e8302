// SHA-256 for what must be trusted (checkpoints, caches), a fast 64-bit hash for splitting and
// tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace llmctl {

/// Incremental SHA-256 (FIPS 180-4, by libcrypto).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* data, std::size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }
  std::string hex();  ///< 64 lower-case digits; ends the computation

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_hex(std::string_view data);
std::string sha256_file(const std::filesystem::path& path);  ///< throws kMissing, kIo

/// splitmix64's finaliser: a bijection that spreads every bit.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// FNV-1a with a final mix (splitmix64): the same on every machine and in every version, for splits
/// and tables.
std::uint64_t hash64(std::string_view data, std::uint64_t seed = 0);

/// Its top 53 bits as a number in [0, 1): what falls below a share is in it, so that equal texts
/// stay together and new ones move none.
double hash_fraction(std::string_view data, std::uint64_t seed = 0);

}  // namespace llmctl
