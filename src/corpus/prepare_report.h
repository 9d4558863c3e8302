// What data preparation did, as a page.
#pragma once

#include <string>

#include "config/json.h"

namespace llmctl {

/// Counts of every step and examples of what each changed and dropped, from the manifest.
std::string prepare_page(const Json& manifest);

}  // namespace llmctl
