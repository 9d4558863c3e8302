// One line for --version and for the records of a run.
#pragma once

#include <string>

namespace llmctl {

/// "llmctl 0.1.0 (a1b2c3d), LibTorch 2.13.0, CPU AVX512".
std::string version_text();

}  // namespace llmctl
