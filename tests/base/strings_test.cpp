#include "base/strings.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(Join, PutsASeparatorBetweenParts) {
  EXPECT_EQ(join({}), "");
  EXPECT_EQ(join({"a"}), "a");
  EXPECT_EQ(join({"a", "", "b"}), "a, , b");
  EXPECT_EQ(join({"a", "b"}, "\n"), "a\nb");
}

TEST(EqualIgnoringCase, IsOfAsciiLetters) {
  EXPECT_TRUE(equal_ignoring_case("Text", "tEXT"));
  EXPECT_FALSE(equal_ignoring_case("Text", "Texts"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
}

TEST(ParseNumber, IsOfWholeTexts) {
  EXPECT_EQ(parse_number("12.0"), 12);
  EXPECT_EQ(parse_number("-1e2"), -100);
  for (const char* none : {"", " 1", "1 ", "+1", "one", "1,5"})
    EXPECT_EQ(parse_number(none), std::nullopt) << none;
}

}  // namespace
}  // namespace llmctl
