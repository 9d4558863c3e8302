// The machine's name.
#pragma once

#include <string>

namespace llmctl {

/// Without anything that a file's name cannot have; "localhost" where it has none.
std::string host_name();

}  // namespace llmctl
