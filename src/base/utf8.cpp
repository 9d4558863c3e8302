#include "base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace llmctl {
namespace {

/// One step through bytes that may be anything: a well-formed character, or one byte that is not
/// part of any (`length` is 1 then).
struct Step {
  char32_t code_point = 0;
  std::size_t length = 1;
  bool valid = false;
  bool cut = false;  ///< the bytes begin a character and end before it does
};

Step decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0) return {};
  char32_t code_point = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, 1, false, true};
    // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF.
    unsigned first = 0x80, last = 0xBF;
    if (i == 1 && lead == 0xE0) first = 0xA0;
    if (i == 1 && lead == 0xED) last = 0x9F;
    if (i == 1 && lead == 0xF0) first = 0x90;
    if (i == 1 && lead == 0xF4) last = 0x8F;
    if (byte(i) < first || byte(i) > last) return {};
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  return {code_point, length, true, false};
}

/// Length of the text's beginning that is ASCII, eight bytes at a time.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::copy_n(text.data() + i, 8, reinterpret_cast<char*>(&word));
    if ((word & 0x8080808080808080ull) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

/// Length of the text's beginning that is well-formed characters of three bytes with leads that
/// allow every continuation (most Chinese text is made of them).
std::size_t three_byte_prefix(std::string_view text) {
  std::size_t i = 0;
  for (; i + 3 <= text.size(); i += 3) {
    const auto byte = [&](std::size_t j) { return static_cast<unsigned char>(text[i + j]); };
    const bool plain = (byte(0) & 0xF0) == 0xE0 && byte(0) != 0xE0 && byte(0) != 0xED;
    if (!plain || (byte(1) & 0xC0) != 0x80 || (byte(2) & 0xC0) != 0x80) break;
  }
  return i;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (true) {
    offset += ascii_prefix(text.substr(offset));
    offset += three_byte_prefix(text.substr(offset));
    if (offset == text.size()) return std::nullopt;
    const Step step = decode(text.substr(offset));
    if (!step.valid) return offset;
    offset += step.length;
  }
}

char32_t next_code_point(std::string_view text, std::size_t& offset) {
  const Step step = decode(text.substr(offset));
  offset += step.length;
  return step.valid ? step.code_point : U'\uFFFD';
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> result;
  result.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    result.push_back(next_code_point(text, offset));
  }
  return result;
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::vector<std::size_t> code_point_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (std::size_t offset = 0; offset < text.size();) {
    offsets.push_back(offset);
    offset += decode(text.substr(offset)).length;
  }
  offsets.push_back(text.size());
  return offsets;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t start = text.size() - back;
    if ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) continue;
    return decode(text.substr(start)).cut ? start : text.size();
  }
  return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = find_invalid_utf8(text).value_or(text.size());
    result.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    result.append("\xEF\xBF\xBD");
    text.remove_prefix(1);
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const char32_t code_point = next_code_point(text, offset);
    width += static_cast<std::size_t>(
        std::max(0, utf8proc_charwidth(static_cast<utf8proc_int32_t>(code_point))));
  }
  return width;
}

bool is_cjk(char32_t code_point) {
  constexpr std::array<std::array<char32_t, 2>, 7> kBlocks = {{{0x3400, 0x4DBF},
                                                               {0x4E00, 0x9FFF},
                                                               {0xF900, 0xFAFF},
                                                               {0x20000, 0x2A6DF},
                                                               {0x2A700, 0x2EE5D},
                                                               {0x2F800, 0x2FA1F},
                                                               {0x30000, 0x323AF}}};
  return std::any_of(kBlocks.begin(), kBlocks.end(), [&](const auto& block) {
    return code_point >= block[0] && code_point <= block[1];
  });
}

}  // namespace llmctl
