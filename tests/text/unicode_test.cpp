#include "text/unicode.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(Unicode, LowerCaseOfAnyScript) {
  EXPECT_EQ(to_lower("ABC éÉ ΩΣ Дом 中文 123"), "abc éé ωσ дом 中文 123");
  EXPECT_EQ(to_lower(""), "");
  EXPECT_EQ(to_lower(U'Z'), U'z');
  EXPECT_EQ(to_lower(U'['), U'[');
}

TEST(Unicode, LettersAndNumbers) {
  for (char32_t c : U"aZ0é中Ω½Ⅳ٣") {
    if (c != 0) EXPECT_TRUE(is_alphanumeric(c)) << static_cast<std::uint32_t>(c);
  }
  for (char32_t c : U" _-。!🙂\u0301") {
    if (c != 0) EXPECT_FALSE(is_alphanumeric(c)) << static_cast<std::uint32_t>(c);
  }
}

TEST(Unicode, DecimalDigits) {
  for (char32_t c : {U'0', U'9', U'٣', U'９'}) EXPECT_TRUE(is_decimal_digit(c));
  for (char32_t c : {U'a', U'½', U'Ⅳ', U'三'}) EXPECT_FALSE(is_decimal_digit(c));
}

TEST(Unicode, WhiteSpace) {
  for (char32_t c : U" \t\n\r\u0085\u00A0\u2003\u3000\u2028\u2029\u001C") {
    if (c != 0) EXPECT_TRUE(is_space(c)) << static_cast<std::uint32_t>(c);
  }
  for (char32_t c : U"a\u200B。\u0001") {
    if (c != 0) EXPECT_FALSE(is_space(c)) << static_cast<std::uint32_t>(c);
  }
}

TEST(Unicode, TrimsBothEnds) {
  EXPECT_EQ(trim(" \t中 文\u3000\n"), "中 文");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \u00A0 "), "");
  EXPECT_EQ(trim(""), "");
}

}  // namespace
}  // namespace llmctl
