// Grammars in the notation of llama.cpp (GBNF).
#pragma once

#include <string>
#include <string_view>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

/// All of the notation: rules `name ::= …` (the text follows `root`), "literals", [classes] and
/// [^their negations] with ranges and escapes (\x, \u, \U, \n, \r, \t, \\, \", \[, \], \-, \^),
/// `.`, groups, alternatives, ?, *, +, {m}, {m,}, {m,n}, {,n}, # comments. A rule goes on over
/// several lines until the next `name ::=`. kData, "SOURCE:LINE:COLUMN: what", for what is not in
/// it, an undefined or twice defined rule, no root, and tokens (<…>), which are not done.
Grammar parse_gbnf(std::string_view text, const std::string& source);

}  // namespace llmctl::grammar
