// Regular expressions as grammars.
#pragma once

#include <string>
#include <string_view>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

enum class RegexMatch {
  kWhole,    ///< the expression describes the whole text; ^ and $ at its ends are tolerated
  kAnywhere  ///< it holds somewhere in the text, as in JSON Schema, unless anchored by ^ and $
};

/// The usual syntax: literals, ., [classes] with ranges and negation, \d \w \s \D \W \S (ASCII's,
/// and what is not in them), \p{L} and other general categories, \p{Han}, \t \n \r \f \v \0 \xHH
/// \uHHHH \u{H…} \UHHHHHHHH, groups (capturing, (?:…), named), |, *, +, ?, {m}, {m,}, {m,n} (lazy
/// or not is the same). `.` is any character but line breaks. kData, "SOURCE:LINE:COLUMN: what",
/// for what is not in it; what is not regular or not done (back references, look-around, word
/// boundaries, flags, atomic groups, possessive quantifiers) by its name.
Expr parse_regex(std::string_view expression, const std::string& source,
                 RegexMatch match = RegexMatch::kWhole);

}  // namespace llmctl::grammar
