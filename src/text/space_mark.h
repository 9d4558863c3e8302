// How the pieces of SentencePiece, and of tokenizers that follow it, spell a space.
#pragma once

#include <string_view>

namespace llmctl {

inline constexpr std::string_view kSpaceMark = "\u2581";

}  // namespace llmctl
