// Properties of code points that text rules ask for (by utf8proc): case, letters and digits, white
// space.
#pragma once

#include <string>
#include <string_view>

namespace llmctl {

/// Simple lower-case mapping of one code point.
char32_t to_lower(char32_t code_point);
/// The text in lower case, code point by code point; the text must be valid UTF-8.
std::string to_lower(std::string_view text);

/// Letters and numbers of any script (general categories L*, N*).
bool is_alphanumeric(char32_t code_point);

/// Digits of any script's decimal numbers (Nd).
bool is_decimal_digit(char32_t code_point);

/// White space: separators (Z*), and the controls that end lines or separate fields (U+0009 to
/// U+000D, U+001C to U+001F, U+0085).
bool is_space(char32_t code_point);

/// The text without white space at its ends.
std::string_view trim(std::string_view text);

}  // namespace llmctl
