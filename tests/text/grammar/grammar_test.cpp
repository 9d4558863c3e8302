#include "text/grammar/grammar.h"

#include "text/grammar/matching.h"

namespace llmctl::grammar {
namespace {

TEST(CharClass, IsSortedAndApart) {
  EXPECT_EQ(normalized({{'c', 'd'}, {'a', 'b'}, {'x', 'z'}, {'y', 'y'}}),
            (CharClass{{'a', 'd'}, {'x', 'z'}}));
  EXPECT_EQ(normalized({{0xD000, 0xE000}}), (CharClass{{0xD000, 0xD7FF}, {0xE000, 0xE000}}));
  EXPECT_EQ(negated({{'b', 0x10FFFF}}), (CharClass{{0, 'a'}}));
  EXPECT_EQ(any_char(), (CharClass{{0, 0xD7FF}, {0xE000, 0x10FFFF}}));
  EXPECT_EQ(negated(any_char()), CharClass{});
}

TEST(Choices, AreTheTextsAndNothingElse) {
  const std::vector<std::string> texts = {"yes", "no", "not yet", "好评", "好的", "差评", "n", ""};
  const Grammar grammar = parse_choices(texts);
  test::expect_matches(grammar, texts);
  test::expect_no_matches(grammar, {"y", "yess", "not", "not ", "好", "评", "\xE5", "no "});
  test::expect_no_matches(parse_choices(std::vector<std::string>{"a"}), {""});
}

TEST(Choices, ManyAndEqualOnes) {
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back("item " + std::to_string(i % 2500));
  const Grammar grammar = parse_choices(texts);
  test::expect_matches(grammar, {"item 0", "item 2499", "item 250"});
  test::expect_no_matches(grammar, {"item 2500", "item ", "item 00"});
}

TEST(Choices, RefuseNoneAndWhatIsNotText) {
  test::expect_refused([] { parse_choices({}); }, "no choices");
  test::expect_refused([] { parse_choices(std::vector<std::string>{"a\xFF"}); },
                       "not valid UTF-8 at byte 1");
}

}  // namespace
}  // namespace llmctl::grammar
