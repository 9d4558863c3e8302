#include "text/grammar/automaton.h"

#include "base/utf8.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/matching.h"
#include "text/grammar/utf8_sequences.h"

namespace llmctl::grammar {
namespace {

bool holds(const std::vector<ByteSequence>& sequences, const std::string& text) {
  int found = 0;
  for (const ByteSequence& sequence : sequences) {
    bool same = sequence.size() == text.size();
    for (std::size_t i = 0; same && i < text.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      same = sequence[i].low <= byte && byte <= sequence[i].high;
    }
    found += same;
  }
  EXPECT_LE(found, 1);
  return found == 1;
}

TEST(Utf8Sequences, HoldExactlyTheSet) {
  const CharClass set = normalized(
      {{'a', 'f'}, {0x70, 0x905}, {0x4E2D, 0x4E2D}, {0x5000, 0x9003}, {0xFFF0, 0x1F603}});
  const auto sequences = utf8_sequences(set);
  for (char32_t c = 0; c < 0x20000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    bool expected = false;
    for (const CodePoints range : set) expected |= range.first <= c && c <= range.last;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(holds(sequences, text), expected) << std::hex << static_cast<unsigned>(c);
  }
  EXPECT_FALSE(holds(utf8_sequences(any_char()), "\xED\xA0\x80"));  // a surrogate
  EXPECT_FALSE(holds(utf8_sequences(any_char()), "\xC0\x80"));      // two bytes for one
  EXPECT_FALSE(holds(utf8_sequences(any_char()), "\xF4\x90\x80\x80"));
}

TEST(Automaton, RulesThatBeginWithThemselves) {
  // Directly: written as a repetition.
  const Grammar grammar =
      parse_gbnf("root ::= root \"+\" n | root \"-\" n | n | root\nn ::= [0-9]", "g");
  test::expect_matches(grammar, {"1", "1+2", "1-2+3"});
  test::expect_no_matches(grammar, {"", "+1", "1+", "12"});
  // In other ways: refused by name.
  test::expect_refused(
      [] { Automaton(parse_gbnf("root ::= a \"x\" | \"y\"\na ::= b? root", "g")); },
      "b\" is not defined");
  test::expect_refused(
      [] { Automaton(parse_gbnf("root ::= a \"x\" | \"y\"\na ::= b? root\nb ::= \"b\"", "g")); },
      "rule \"root\" begins with itself (root → a → root)");
  test::expect_refused([] { Automaton(parse_gbnf("root ::= \"\" root \"x\" | \"y\"", "g")); },
                       "begins with itself");
}

TEST(Automaton, TakesOutWhatIsNeverComplete) {
  const Grammar grammar = parse_gbnf(
      "root ::= \"a\" | \"b\" endless | \"c\" [^\\x00-\\U0010FFFF]\nendless ::= \"x\" endless",
      "g");
  Matcher matcher(grammar);
  EXPECT_FALSE(matcher.accept("b"));
  EXPECT_FALSE(matcher.accept("c"));
  EXPECT_TRUE(matcher.accept("a"));
  test::expect_refused([] { Automaton(parse_gbnf("root ::= \"x\" root", "g")); },
                       "no text completes rule \"root\"");
}

TEST(Automaton, RefusesWhatIsTooLarge) {
  test::expect_refused(
      [] { Automaton(parse_gbnf("root ::= a{9000}\na ::= \"abc\"\nb ::= (a{900}){900}", "g")); },
      "more than 400000 positions");
}

TEST(Automaton, KnowsTheShortestWay) {
  const auto shortest = [](const char* grammar) {
    return Matcher(parse_gbnf(grammar, "g")).shortest_completion();
  };
  EXPECT_EQ(shortest("root ::= \"abc\" | \"d\" x\nx ::= [z] | \"zz\""), "dz");
  EXPECT_EQ(shortest("root ::= \"a\"*"), "");
  EXPECT_EQ(shortest("root ::= \"(\" root \")\" | \"中\"{2}"), "中中");
  EXPECT_EQ(shortest("root ::= \"(\" root \")\" | \"xxxxx\"").size(), 5u);
}

}  // namespace
}  // namespace llmctl::grammar
