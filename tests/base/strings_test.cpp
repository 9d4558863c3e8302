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

}  // namespace
}  // namespace llmctl
