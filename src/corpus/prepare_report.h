// What data preparation did, as a page.
#pragma once

#include <string>

#include "config/json.h"

namespace llmctl {

/// In the folder of unfinished work: what the work belongs to.
inline constexpr const char* kPrepareKey = "key";

/// Counts of every step and examples of what each changed and dropped, from the manifest.
std::string prepare_page(const Json& manifest);

}  // namespace llmctl
