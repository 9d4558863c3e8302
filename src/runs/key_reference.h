// The reference of all configuration keys, as configs/README.md holds it.
#pragma once

#include <string>

namespace llmctl {

/// Markdown: every key of every command once, those of the model families side by side.
std::string key_reference();

}  // namespace llmctl
