// UTF-8: checking, walking, and the width of text on a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// Offset in bytes of the first byte that is not part of well-formed UTF-8 (overlong forms,
/// surrogates and code points above U+10FFFF are refused), or nothing.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// Decodes the code point that starts at text[offset] and moves `offset` behind it; the text must
/// be valid.
char32_t next_code_point(std::string_view text, std::size_t& offset);

void append_utf8(std::string& out, char32_t code_point);
std::vector<char32_t> code_points(std::string_view text);
std::size_t count_code_points(std::string_view text);

/// Byte offset of each code point, and text.size() at the end: count_code_points(text) + 1 numbers.
std::vector<std::size_t> code_point_offsets(std::string_view text);

/// Length of the longest prefix that does not end inside a character (for streaming); invalid bytes
/// count as ended.
std::size_t complete_utf8_prefix(std::string_view text);

/// The text with every invalid byte replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// Columns that the text takes on a terminal: 2 for East Asian wide characters, 0 for combining
/// ones.
std::size_t display_width(std::string_view text);

/// True for CJK ideographs (the blocks of BERT's tokenizer and their extensions).
bool is_cjk(char32_t code_point);

}  // namespace llmctl
