#include "text/grammar/matcher.h"

#include "text/grammar/gbnf.h"
#include "text/grammar/matching.h"

namespace llmctl::grammar {
namespace {

TEST(Matcher, GoesOnByPartsOfCharacters) {
  Matcher matcher(parse_gbnf("root ::= \"中\" [文国]+", "g"));
  EXPECT_TRUE(matcher.accept("\xE4\xB8"));
  EXPECT_FALSE(matcher.accept("\xAE"));  // another character
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(matcher.accept("\xAD\xE5"));
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(matcher.accept("\x9B\xBD"));  // 国
  EXPECT_TRUE(matcher.complete());
  EXPECT_TRUE(matcher.accept(""));
}

TEST(Matcher, CopiesGoTheirOwnWays) {
  Matcher one(parse_gbnf("root ::= \"(\" root \")\" | [a-z]", "g"));
  ASSERT_TRUE(one.accept("(("));
  Matcher other = one;
  EXPECT_TRUE(one.accept("a))"));
  EXPECT_TRUE(other.accept("(b))"));
  EXPECT_TRUE(one.complete());
  EXPECT_FALSE(other.complete());
  EXPECT_EQ(other.shortest_completion(), ")");
}

TEST(Matcher, RightRecursionAndNothing) {
  const Grammar grammar =
      parse_gbnf("root ::= \"a\" root | empty* \"b\" empty\nempty ::= \"\"", "g");
  EXPECT_TRUE(test::matches(grammar, std::string(100'000, 'a') + "b"));
  EXPECT_FALSE(test::matches(grammar, "a"));
}

TEST(Matcher, AmbiguousGrammars) {
  const Grammar grammar = parse_gbnf("root ::= \"a\" root root | \"a\" root | \"a\"", "g");
  EXPECT_TRUE(test::matches(grammar, std::string(200, 'a')));
  // A palindrome may have its middle anywhere.
  const Grammar palindrome = parse_gbnf("root ::= \"a\" root \"a\" | \"b\" root \"b\" | \"\"", "g");
  EXPECT_TRUE(test::matches(palindrome, "abbaabba"));
  EXPECT_FALSE(test::matches(palindrome, "abab"));
}

TEST(Matcher, RefusesTooManyWays) {
  // Every byte doubles the number of ways to go on.
  Matcher matcher(parse_gbnf("root ::= a\na ::= \"x\" a \"y\" | \"x\" a \"z\" | \"y\"", "g"));
  test::expect_refused([&] { matcher.accept(std::string(100, 'x')); }, "too ambiguous");
  // And goes on to work.
  EXPECT_TRUE(matcher.accept("xxyy"));
}

TEST(MatcherStates, AreAdoptedWithTheirCalls) {
  const auto automaton = std::make_shared<const Automaton>(
      parse_gbnf("root ::= \"(\" root \")\" | \"[\" root \"]\" | [a-z]+", "g"));
  MatcherStates one(automaton), other(automaton);
  StateId state = one.start();
  for (const char c : std::string("([[(ab")) state = one.next(state, static_cast<std::uint8_t>(c));
  StateId own = other.adopt(one, state);
  EXPECT_EQ(other.distance(own), 4u);
  for (const char c : std::string(")]])")) {
    own = other.next(own, static_cast<std::uint8_t>(c));
    state = one.next(state, static_cast<std::uint8_t>(c));
  }
  EXPECT_TRUE(other.complete(own));
  EXPECT_TRUE(one.complete(state));
  EXPECT_EQ(other.next(own, ')'), MatcherStates::kDead);
}

}  // namespace
}  // namespace llmctl::grammar
