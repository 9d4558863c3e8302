// The pieces of a template: text, and the tokens inside its tags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmctl::jinja {

struct Token {
  enum class Kind { kText, kName, kString, kInteger, kFloat, kOperator, kBegin, kEnd, kEof };
  Kind kind = Kind::kEof;
  std::string text;    ///< of kBegin and kEnd: "{{" or "{%", "}}" or "%}"
  std::size_t at = 0;  ///< byte of the source where it begins
  int line = 0;
};

/// Whitespace of tags is dealt with ("-", "+", trim_blocks, lstrip_blocks), comments are gone, raw
/// blocks are text. kData for a tag, string or comment without end.
std::vector<Token> lex_template(std::string_view source);

/// Throws kData: "chat template line N: what".
[[noreturn]] void template_error(int line, const std::string& what);

}  // namespace llmctl::jinja
