// MediaWiki's markup to text.
#pragma once

#include <string>
#include <string_view>

namespace llmctl {

/// The prose of an article: templates, tables, references, files, categories and comments go; links
/// leave their text, headings and list items their words, language variants (-{zh-hans:…}-) the
/// simplified or first form. Linear in the text; markup without end is taken as far as it goes.
std::string wiki_text(std::string_view markup);

}  // namespace llmctl
