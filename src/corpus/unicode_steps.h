// Steps of cleaning about characters: normalisation, controls, white space.
#pragma once

#include <cstdint>
#include <string>

namespace llmctl {

/// NFC, or NFKC (UAX #15, by utf8proc).
void normalize_unicode(std::string& text, bool compatible);

/// Drops control characters, the byte order mark, zero-width spaces, word joiners, soft hyphens and
/// marks of direction. White space stays: line ends of every kind (CR, CRLF, form feed, vertical
/// tab, NEL, U+2028, U+2029) become LF; the separators U+001C to U+001F become spaces. What joins
/// letters or emoji (U+200C, U+200D) stays. Returns how many characters went.
std::uint64_t drop_control_characters(std::string& text);

/// Blanks of any kind become single spaces, none at the ends of lines; at most one empty line; no
/// white space at the ends of the text.
void tidy_whitespace(std::string& text);

}  // namespace llmctl
