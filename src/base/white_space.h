// White space as Unicode has it, at the ends of texts.
#pragma once

#include <string_view>

namespace llmctl {

/// True for nothing but white space (and byte order marks, which show nothing either); valid UTF-8.
bool is_blank(std::string_view text);

/// The text without white space at its ends; valid UTF-8.
std::string_view trim_white_space(std::string_view text);

}  // namespace llmctl
