// Classes of characters as the regular expressions and rules of tokenizers mean them.
#pragma once

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace llmctl {

/// What the split rules ask of a character.
enum class CharacterClass : std::uint8_t {
  kLetter,   ///< \p{L}
  kNumber,   ///< \p{N}
  kNewline,  ///< \r and \n
  kSpace,    ///< the rest of \s: Unicode's White_Space
  kOther
};

/// Unicode's White_Space.
constexpr bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

constexpr bool is_ascii_punctuation(char32_t c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
         (c >= 123 && c <= 126);
}

inline utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

/// Characters of \w: letters, marks, decimal numbers, connectors, and the joiners.
inline bool is_word_character(char32_t c) {
  if (c < 128) return (c | 32) - 'a' < 26u || c - '0' < 10u || c == '_';
  const auto kind = category(c);
  return (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_ND) ||
         kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D;
}

/// The ideographs that BERT takes one by one.
constexpr bool is_bert_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/// The same for characters outside the tables below.
CharacterClass class_of_rare(char32_t c);

namespace detail {
constexpr std::array<CharacterClass, 128> ascii_classes() {
  std::array<CharacterClass, 128> classes{};
  for (char32_t c = 0; c < 128; ++c) {
    classes[c] = (c | 32) - 'a' < 26u     ? CharacterClass::kLetter
                 : c - '0' < 10u          ? CharacterClass::kNumber
                 : c == '\r' || c == '\n' ? CharacterClass::kNewline
                 : is_white_space(c)      ? CharacterClass::kSpace
                                          : CharacterClass::kOther;
  }
  return classes;
}
inline constexpr auto kAsciiClasses = ascii_classes();
}  // namespace detail

inline CharacterClass class_of(char32_t c) {
  if (c < 128) return detail::kAsciiClasses[c];
  if (c >= 0x4E00 && c <= 0x9FFC) return CharacterClass::kLetter;
  return class_of_rare(c);
}

/// The character that begins at text[at], and its length in bytes, of valid UTF-8.
struct Character {
  char32_t code_point;
  std::uint32_t length;
};
inline Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> char32_t {
    return static_cast<unsigned char>(text[at + i]);
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

}  // namespace llmctl
