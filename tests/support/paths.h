// Where tests find the source tree and the program.
#pragma once

#include <filesystem>
#include <string>

namespace llmctl::test {

/// The project's root.
std::filesystem::path source_dir();

/// This build's directory, and the compiler's flags for its sanitizers ("" without any).
std::filesystem::path build_dir();
std::string sanitizer_flags();

/// The llmctl binary: LLMCTL_BINARY, else the one of this build.
std::filesystem::path llmctl_binary();

/// The value of an environment variable, or `fallback` when it is unset or empty.
std::string environment_or(const char* name, const std::string& fallback);

}  // namespace llmctl::test
