// node-llama-cpp, for the tests labelled interop.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/process.h"

namespace llmctl::test {

/// Runs a script of tests/interop by node; its first argument is the folder of npm's modules:
/// LLMCTL_INTEROP_NODE_MODULES, else .deps/interop/node_modules where `tests/run --interop` made
/// it.
ProcessResult run_node(const std::string& script, std::vector<std::string> arguments);

/// Why it cannot serve ("" when it can).
const std::string& missing_llama_cpp();

}  // namespace llmctl::test

/// Skips the test where node or its modules are not there.
#define LLMCTL_NEEDS_LLAMA_CPP()                    \
  if (!::llmctl::test::missing_llama_cpp().empty()) \
  GTEST_SKIP() << ::llmctl::test::missing_llama_cpp() << "; tests/run --interop installs them"
