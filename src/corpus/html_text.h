// HTML to text.
#pragma once

#include <string>
#include <string_view>

namespace llmctl {

/// The text that a browser would show, roughly: tags, comments, scripts and styles go, blocks and
/// line breaks become line ends, entities become characters. Linear in the text; what only looks
/// like a tag ("a < b") stays.
std::string html_text(std::string_view html);

/// The text with "&amp;", "&#20013;" and the like turned into characters; unknown ones stay.
std::string decode_entities(std::string_view text);

}  // namespace llmctl
