// Hugging Face's Python libraries, for the tests labelled interop.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/process.h"

namespace llmctl::test {

/// Runs a script of tests/interop with the Python that has the libraries: LLMCTL_INTEROP_PYTHON,
/// else .deps/interop/bin/python where `tests/run --interop` made it, else python3.
ProcessResult run_python(const std::string& script, const std::vector<std::string>& arguments);

/// Why the Python above cannot serve ("" when it can): what it lacks of the libraries.
const std::string& missing_python();
/// The same of other libraries: "sacrebleu".
std::string missing_python(const std::string& libraries);

}  // namespace llmctl::test

/// Skips the test when Python lacks these libraries ("sacrebleu").
#define LLMCTL_NEEDS_PYTHON(libraries)                                                         \
  if (const std::string missing = ::llmctl::test::missing_python(libraries); !missing.empty()) \
  GTEST_SKIP() << missing << "; tests/run --interop installs them"
/// Skips the test when Python lacks transformers or what it needs.
#define LLMCTL_NEEDS_TRANSFORMERS()              \
  if (!::llmctl::test::missing_python().empty()) \
  GTEST_SKIP() << ::llmctl::test::missing_python() << "; tests/run --interop installs them"
