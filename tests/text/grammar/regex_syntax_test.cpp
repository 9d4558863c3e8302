#include "text/grammar/regex_syntax.h"

#include <regex>

#include "text/grammar/matching.h"

namespace llmctl::grammar {
namespace {

Grammar regex(const std::string& text, RegexMatch match = RegexMatch::kWhole) {
  Grammar grammar;
  grammar.add("regex", parse_regex(text, "regex", match));
  return grammar;
}

TEST(RegexSyntax, AgreesWithTheStandardLibrary) {
  // Over ASCII, where both mean the same.
  const std::vector<std::string> expressions = {
      "abc",          "a|bc|",       "a*b+c?",    "(ab)*c",   "(?:a|b){2,3}", "[a-c]+",
      "[^a-c]",       "\\d+\\.\\d*", "\\w\\s\\w", "a{2}",     "a{2,}",        "a.c",
      "(a(b(c)?)?)?", "[\\d\\-x]+",  "\\(a\\)",   "[]a]|b",   "^ab$",         "a+?b*?c??",
      "x{0}",         "[.*]",        "a\\+b",     "((a|b)c)*"};
  const std::string letters = "abcx1 -.+()*\n";
  Random random(random_key(7, "regex"));
  std::size_t both = 0;
  for (const std::string& expression : expressions) {
    if (expression.starts_with("[]")) continue;
    const Grammar grammar = regex(expression);
    const std::regex expected(expression, std::regex::ECMAScript);
    for (int i = 0; i < 300; ++i) {
      std::string text;
      for (std::uint64_t n = random.below(6); n > 0; --n)
        text += letters[random.below(letters.size())];
      const bool wanted = std::regex_match(text, expected);
      ASSERT_EQ(test::matches(grammar, text), wanted) << expression << " on " << text;
      both += wanted;
    }
    // And what it gives itself.
    for (int i = 0; i < 30; ++i) {
      const std::string text = test::random_text(grammar, random, 12);
      if (text.find_first_of("\x80\xFF") == text.npos && text.find('\0') == text.npos &&
          expression.find('.') == expression.npos && expression.find('^') == expression.npos) {
        ASSERT_TRUE(std::regex_match(text, expected)) << expression << " on " << text;
      }
    }
  }
  EXPECT_GT(both, 100u);
}

TEST(RegexSyntax, Unicode) {
  test::expect_matches(regex("[一-龥]{2,4}"), {"中文", "今天天气"});
  test::expect_no_matches(regex("[一-龥]{2,4}"), {"中", "中a", "今天天气好"});
  test::expect_matches(regex("\\p{Han}+"), {"中文", "々"});
  test::expect_no_matches(regex("\\p{Han}+"), {"かな", "a", "。"});
  test::expect_matches(regex("\\p{L}+\\P{L}"), {"Zürich中1"});
  test::expect_matches(regex("\\pL\\p{Lu}\\p{Nd}\\p{Punctuation}"), {"éÉ٣。"});
  test::expect_matches(regex("."), {"中", "😀"});
  test::expect_no_matches(regex("."), {"\n", "\r", "\u2028", "\xE4\xB8"});
  test::expect_matches(regex("\\u4e2d\\u{1F600}\\x41\\U0001F600"), {"中😀A😀"});
  test::expect_matches(regex("[^\\W\\d]+"), {"ab_"});
  test::expect_matches(regex("北京|上海"), {"北京", "上海"});
}

TEST(RegexSyntax, AnchorsAndSearch) {
  test::expect_matches(regex("^(a|b)$|^c"), {"a", "b", "c"});
  test::expect_matches(regex("(^a|b$)"), {"a", "b"});
  const Grammar anywhere = regex("a.c|^x|y$", RegexMatch::kAnywhere);
  test::expect_matches(anywhere, {"abc", "--abc--", "x", "xzz", "zzy", "中a中c"});
  test::expect_no_matches(anywhere, {"ac", "zx", "yz", ""});
  test::expect_matches(regex("^[0-9]+$", RegexMatch::kAnywhere), {"12"});
  test::expect_no_matches(regex("^[0-9]+$", RegexMatch::kAnywhere), {"a12", "12a"});
  test::expect_matches(regex("", RegexMatch::kAnywhere), {"", "anything\nat all"});
}

TEST(RegexSyntax, BracesThatCountNothing) {
  test::expect_matches(regex("{\"a\": [0-9]{1,2}}"), {"{\"a\": 12}"});
  test::expect_matches(regex("a{,2}b{x}"), {"aab{x}", "b{x}"});
}

TEST(RegexSyntax, WhatIsNotRegularOrNotDoneIsRefusedByName) {
  const auto refused = [](const std::string& text, const std::string& message) {
    test::expect_refused([&] { regex(text); }, message);
  };
  refused("(a)\\1", "regex:1:4: back references are no regular language");
  refused("(?<x>a)\\k<x>", "back references");
  refused("(?P<x>a)(?P=x)", "back references");
  refused("a(?=b)", "regex:1:2: look-around is no regular language");
  refused("(?!a)b", "look-around");
  refused("(?<=a)b", "look-around");
  refused("(?<!a)b", "look-around");
  refused("\\bword\\b", "word boundaries are not done");
  refused("(?i)a", "flags and conditions are not done");
  refused("(?>a)", "atomic groups are not done");
  refused("a++", "possessive quantifiers are not done");
  refused("a**", "two quantifiers follow each other");
  refused("[[:alpha:]]", "POSIX classes are not done");
  refused("\\p{Greek}", "unknown property \"Greek\"");
  refused("(a", "regex:1:1: this group has no )");
  refused("a)", "this ) closes no group");
  refused("[a", "this class has no ]");
  refused("[b-a]", "ends before it begins");
  refused("[\\d-z]", "a range has a character at each end");
  refused("*a", "nothing stands before the quantifier");
  refused("a^b", "^ stands only at the beginning");
  refused("a$b", "$ stands only at the end");
  refused("(a$|b)c", "$ stands only at the end");
  refused("\\q", "unknown escape \\q");
  refused("a\\", "nothing stands behind the backslash");
  refused("\\012", "octal escapes are not done");
  refused("a{3,2}", "fewer than at least");
  test::expect_refused([] { regex("(^a)b", RegexMatch::kAnywhere); }, "anchors within groups");
}

}  // namespace
}  // namespace llmctl::grammar
