// What filters and methods of the template language share: their arguments, and Python's functions
// of texts. All raise as builtins.h says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/template/builtins.h"
#include "text/template/value.h"

namespace llmctl::jinja {

Value undefined(std::string message);
/// The value's text; raises for what is none, naming `what` asked for it.
const Text& text_of(const Value& value, const char* what);
Text plain(std::string text);  ///< written by the template, not by its user

/// The argument at a place or of a name; null where there is none.
const Value* argument(const Arguments& arguments, std::size_t place, std::string_view name);
std::int64_t integer_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                              std::int64_t otherwise);
bool flag_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                   bool otherwise);
Text text_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                   const Text& otherwise);

bool is_python_space(char32_t c);
bool is_letter(char32_t c);

/// Without the characters of `set` (white space where it is null) at its ends.
Text strip(const Text& text, const Text* set, bool left, bool right);
/// The first `count` places of `from` (all where it is negative) replaced.
Text replace(const Text& text, const Text& from, const Text& to, std::int64_t count,
             Budget& budget);
/// At the first `count` separators (all where it is negative), or at white space.
List split(const Text& text, const Text* separator, std::int64_t count, Budget& budget);
Text join(const Value& value, const Text& separator, const Value* attribute, Budget& budget);

Text upper(const Text& text);
Text lower(const Text& text);
Text capitalize(const Text& text);
/// Jinja's filter begins words behind blanks and brackets; Python's method behind any non-letter.
Text title(const Text& text, bool as_filter);

/// printf's formats as Python's % has them, for %s, %d, %i, %f, %r, %x and %%.
Text format(const Text& pattern, const Arguments& arguments, Budget& budget);

}  // namespace llmctl::jinja
