#include "base/white_space.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace llmctl {
namespace {

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D);
  const auto kind = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return c == 0x85 || kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
         kind == UTF8PROC_CATEGORY_ZP;
}

}  // namespace

bool is_blank(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (!is_space(c) && c != 0xFEFF) return false;
  }
  return true;
}

std::string_view trim_white_space(std::string_view text) {
  std::size_t begin = 0, end = text.size();
  for (std::size_t at = begin; at < text.size(); begin = at) {
    if (!is_space(next_code_point(text, at))) break;
  }
  while (end > begin) {
    std::size_t last = end - 1;
    while (last > begin && (text[last] & 0xC0) == 0x80) --last;
    std::size_t at = last;
    if (!is_space(next_code_point(text, at))) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

}  // namespace llmctl
