// HTML to text.
#pragma once

#include <string>
#include <string_view>

namespace llmctl {

/// Which names make a tag.
enum class Elements {
  kHtml,  ///< those of HTML: "<unk>", "vector<int>" and the like stay
  kAny    ///< any: MediaWiki has many of its own
};

/// The text that a browser would show, roughly: tags, comments, scripts and styles go, blocks and
/// line breaks become line ends, entities become characters. A tag is an element's name with
/// attributes as HTML has them; what only looks like one ("a < b", "a<b and c>d", an <i> that
/// nothing closes) stays. Linear in the text.
std::string html_text(std::string_view html, Elements elements = Elements::kHtml);

/// The text with "&amp;", "&#20013;" and the like turned into characters; unknown ones stay.
std::string decode_entities(std::string_view text);

}  // namespace llmctl
