#include "text/grammar/char_properties.h"

#include <utf8proc.h>

#include <array>
#include <utility>

namespace llmctl::grammar {
namespace {

/// Unicode's Scripts.txt, of version 15.1.
constexpr std::array<CodePoints, 22> kHan = {
    {{0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},
     {0x3007, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},
     {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},   {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3},
     {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739}, {0x2B740, 0x2B81D},
     {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D}, {0x2F800, 0x2FA1D},
     {0x30000, 0x3134A}, {0x31350, 0x323AF}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kLongNames = {
    {{"Letter", "L"},
     {"Mark", "M"},
     {"Number", "N"},
     {"Punctuation", "P"},
     {"Symbol", "S"},
     {"Separator", "Z"},
     {"Other", "C"}}};

}  // namespace

std::optional<CharClass> char_property(std::string_view name) {
  if (name == "Han" || name == "Script=Han" || name == "sc=Han") {
    return normalized({kHan.begin(), kHan.end()});
  }
  for (const auto& [full, letter] : kLongNames) {
    if (name == full) name = letter;
  }
  if (name.empty() || name.size() > 2) return std::nullopt;
  CharClass set;
  for (utf8proc_int32_t c = 0; c <= 0x10FFFF; ++c) {
    if (!std::string_view(utf8proc_category_string(c)).starts_with(name)) continue;
    const auto code_point = static_cast<char32_t>(c);
    if (!set.empty() && set.back().last + 1 == code_point) {
      ++set.back().last;
    } else {
      set.push_back({code_point, code_point});
    }
  }
  if (set.empty()) return std::nullopt;
  return normalized(std::move(set));
}

}  // namespace llmctl::grammar
