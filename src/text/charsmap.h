// The table of a SentencePiece normaliser: a Darts double-array trie (Aoe, 1989; darts-clone's
// layout) from byte strings to replacements.
#pragma once

#include <string_view>

namespace llmctl {

/// Refuses (kData, starting with `place`) a table that would make the library read outside it: a
/// unit whose children lie outside the array, a replacement outside the text or without its end,
/// more nested matches than the library has room for. Layout: the trie's size in bytes (uint32
/// little-endian), the trie's uint32 units, the replacements, each ended by NUL.
void check_charsmap(std::string_view charsmap, std::string_view place);

}  // namespace llmctl
