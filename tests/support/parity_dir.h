// Golden results made with the published Python libraries (tests/parity/README.md).
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

namespace llmctl::test {

/// LLMCTL_PARITY_DIR, else tests/parity, which holds a small part of the golden results in the same
/// layout.
std::filesystem::path parity_dir();

/// The directories directly under parity_dir()/folder, sorted by name; empty when it is absent.
std::vector<std::filesystem::path> parity_cases(const std::filesystem::path& folder);

}  // namespace llmctl::test

/// Skips the test when parity_dir() lacks `path` (relative to it), saying what would provide it.
#define LLMCTL_NEEDS_PARITY(path)                                                    \
  if (!std::filesystem::exists(::llmctl::test::parity_dir() / (path)))               \
  GTEST_SKIP() << "no " << (path) << " in " << ::llmctl::test::parity_dir().string() \
               << "; LLMCTL_PARITY_DIR names the directory that holds all golden results"
