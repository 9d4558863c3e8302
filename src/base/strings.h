// Small functions of strings that many messages need.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// "a, b, c"; empty for none.
std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace llmctl
