#include "corpus/unicode_steps.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "text/characters.h"
#include "text/huggingface/unicode_forms.h"

namespace llmctl {
namespace {

bool is_dropped(char32_t c) {
  if (c < 0x20) return !is_white_space(c);
  if (c >= 0x7F && c < 0xA0) return c != 0x85;
  return c == 0xAD || c == 0xFEFF || c == 0x200B || c == 0x200E || c == 0x200F ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069);
}

bool ends_line(char32_t c) {
  return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

void normalize_unicode(std::string& text, bool compatible) {
  if (is_in_form(text, compatible ? UnicodeForm::kNfkc : UnicodeForm::kNfc)) return;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  utf8proc_uint8_t* bytes = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &bytes, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size >= 0) text.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::uint64_t drop_control_characters(std::string& text) {
  std::uint64_t dropped = 0;
  std::size_t out = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, length] = character_at(text, at);
    // Page breaks, vertical tabs and Unicode's line ends end lines too; CRLF is one line end.
    if (ends_line(c)) {
      const bool pair = c == '\r' && at + 1 < text.size() && text[at + 1] == '\n';
      if (!pair) text[out++] = '\n';
      at += length;
      continue;
    }
    // The separators of old data formats stand between words.
    if (c >= 0x1C && c <= 0x1F) {
      text[out++] = ' ';
      ++dropped;
      at += length;
      continue;
    }
    if (is_dropped(c)) {
      ++dropped;
    } else {
      for (std::size_t i = 0; i < length; ++i) text[out++] = text[at + i];
    }
    at += length;
  }
  text.resize(out);
  return dropped;
}

void tidy_whitespace(std::string& text) {
  std::size_t out = 0;
  std::size_t newlines = 0;  // since the last character that is no white space
  bool blank = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, length] = character_at(text, at);
    if (is_white_space(c)) {
      if (ends_line(c)) {
        ++newlines;
      } else {
        blank = true;
      }
      at += length;
      continue;
    }
    // What is written never passes what was read: each of these stood there.
    if (out > 0 && newlines > 0) {
      text[out++] = '\n';
      if (newlines > 1) text[out++] = '\n';
    } else if (out > 0 && blank) {
      text[out++] = ' ';
    }
    newlines = 0;
    blank = false;
    for (std::size_t i = 0; i < length; ++i) text[out++] = text[at + i];
    at += length;
  }
  text.resize(out);
}

}  // namespace llmctl
