// Failures of std::filesystem in our own terms.
#pragma once

#include <filesystem>

#include "llmctl/error.h"

namespace llmctl {

/// What std::filesystem failed at, as an Error: kMissing for what is not there or may not be read,
/// kCannotCreate, kIo for a full disk.
Error to_error(const std::filesystem::filesystem_error& error);

}  // namespace llmctl
