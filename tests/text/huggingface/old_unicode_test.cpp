#include "text/huggingface/old_unicode.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(OldUnicode, WhatIsYoungerThanTheTablesIsUnassigned) {
  for (const char32_t c : {U'!', U'$', U'。', U'—', U'«', char32_t{0x166D}, char32_t{0x2E42}}) {
    EXPECT_TRUE(is_bert_punctuation(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'a', U'我', U'\u00b4', char32_t{0x2E43}, char32_t{0x2E4F}}) {
    EXPECT_FALSE(is_bert_punctuation(c)) << static_cast<unsigned>(c);
  }
  EXPECT_TRUE(is_nonspacing_mark(0x301));
  EXPECT_FALSE(is_nonspacing_mark(0x1DF7));
  EXPECT_FALSE(is_nonspacing_mark(0x903));  // Mc
  EXPECT_TRUE(is_combining_mark(0x301));
  EXPECT_TRUE(is_combining_mark(0x903));
  EXPECT_TRUE(is_combining_mark(0x20DD));  // Me
  EXPECT_FALSE(is_combining_mark(0x1DF7));
  EXPECT_FALSE(is_combining_mark(U'e'));
  EXPECT_TRUE(is_control_character(0x200B));
  EXPECT_TRUE(is_control_character(0x01));
  EXPECT_TRUE(is_control_character(0xE000));
  EXPECT_FALSE(is_control_character(0x13430));  // Unicode 12
  EXPECT_FALSE(is_control_character(0x378));    // unassigned
}

}  // namespace
}  // namespace llmctl
