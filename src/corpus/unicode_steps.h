// Steps of cleaning about characters: normalisation, controls, white space.
#pragma once

#include <cstdint>
#include <string>

namespace llmctl {

/// NFC, or NFKC (UAX #15, by utf8proc).
void normalize_unicode(std::string& text, bool compatible);

/// Drops control characters but tabs and line ends (CRLF and CR become LF), the byte order mark,
/// zero-width spaces, word joiners, soft hyphens and marks of direction. What joins letters or
/// emoji (U+200C, U+200D) stays. Returns how many characters went.
std::uint64_t drop_control_characters(std::string& text);

/// Blanks of any kind become single spaces, none at the ends of lines; at most one empty line; no
/// white space at the ends of the text.
void tidy_whitespace(std::string& text);

}  // namespace llmctl
