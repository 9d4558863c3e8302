#include "base/hash.h"

#include <openssl/evp.h>

#include "base/error.h"
#include "base/files.h"

namespace llmctl {

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  require(
      impl_->context != nullptr && EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1,
      ErrorCode::kInternal, "libcrypto offers no SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size) {
  require(EVP_DigestUpdate(impl_->context, data, size) == 1, ErrorCode::kInternal,
          "SHA-256 failed in libcrypto");
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(impl_->context, digest, &size) == 1, ErrorCode::kInternal,
          "SHA-256 failed in libcrypto");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path) {
  Sha256 hash;
  for_each_chunk(path, [&](std::string_view chunk) {
    hash.update(chunk);
    return true;
  });
  return hash.hex();
}

std::uint64_t hash64(std::string_view data, std::uint64_t seed) {
  std::uint64_t hash = 0xCBF29CE484222325ull ^ mix64(seed);
  for (const char c : data) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  }
  return mix64(hash);
}

double hash_fraction(std::string_view data, std::uint64_t seed) {
  return static_cast<double>(hash64(data, seed) >> 11) * 0x1p-53;
}

}  // namespace llmctl
