#include "base/white_space.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(WhiteSpace, OfAllOfUnicode) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(
      is_blank(" \t\r\n\v\f\u0085\u00A0\u1680\u2000\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"));
  for (const char* text : {"a", "\u200B", " \u3002 ", "\u4E00", "\u2060"}) {
    EXPECT_FALSE(is_blank(text)) << text;
  }
  EXPECT_EQ(trim_white_space(" \u3000\na \u00A0b\u2028\v"), "a \u00A0b");
  EXPECT_EQ(trim_white_space("\u3000\u3000"), "");
  EXPECT_EQ(trim_white_space("\u4E00"), "\u4E00");
}

}  // namespace
}  // namespace llmctl
