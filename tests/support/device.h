// Where tests of things that run on a device put them.
#pragma once

#include <string>

#include "support/paths.h"

namespace llmctl::test {

/// LLMCTL_TEST_DEVICE: "cpu" (default), "cuda", "cuda:1"; what at::Device's constructor takes.
inline std::string test_device() {
  return environment_or("LLMCTL_TEST_DEVICE", "cpu");
}

}  // namespace llmctl::test
