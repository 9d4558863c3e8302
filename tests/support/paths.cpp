#include "support/paths.h"

#include <cstdlib>

namespace llmctl::test {

std::filesystem::path source_dir() {
  return LLMCTL_SOURCE_DIR;
}

std::filesystem::path build_dir() {
  return LLMCTL_BUILD_DIR;
}

std::string sanitizer_flags() {
  return LLMCTL_SANITIZER_FLAGS;
}

std::filesystem::path llmctl_binary() {
  return environment_or("LLMCTL_BINARY", LLMCTL_BUILT_BINARY);
}

std::string environment_or(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? fallback : value;
}

}  // namespace llmctl::test
