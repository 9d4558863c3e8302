// Base64 (RFC 4648): the standard alphabet, padded, no line breaks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llmctl {

std::string encode_base64(std::string_view bytes);
/// Nothing for what is not base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace llmctl
