// Where sentences of a text end, for texts that are worked on sentence by sentence.
#pragma once

#include <string_view>
#include <vector>

namespace llmctl {

/// The sentences of a line, in order, without the white space between and around them. A sentence
/// ends behind 。！？ and their kind, or behind . ! ? … with white space after it, each with the
/// quotation marks and brackets that close there; not behind an abbreviation, an initial, a number
/// of one or two digits ("am 3. Mai") or before a small letter. Valid UTF-8.
std::vector<std::string_view> split_sentences(std::string_view line);

}  // namespace llmctl
