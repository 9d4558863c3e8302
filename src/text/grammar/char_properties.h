// Unicode properties as sets of characters.
#pragma once

#include <optional>
#include <string_view>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

/// Characters of a general category ("L", "Lu", "N", …; also "Letter", "Number", "Punctuation") or
/// of the script "Han"; nothing for another name.
std::optional<CharClass> char_property(std::string_view name);

}  // namespace llmctl::grammar
