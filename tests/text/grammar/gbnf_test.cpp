#include "text/grammar/gbnf.h"

#include "text/grammar/matching.h"

namespace llmctl::grammar {
namespace {

Grammar gbnf(const std::string& text) {
  return parse_gbnf(text, "g.gbnf");
}

TEST(Gbnf, LiteralsAndEscapes) {
  test::expect_matches(gbnf(R"~(root ::= "a\"\\\n\t\r\x41\u4e2d\U0001F600\[\]")~"),
                       {"a\"\\\n\t\rA中😀[]"});
  test::expect_matches(gbnf("root ::= \"中文\" \"\""), {"中文"});
  test::expect_matches(gbnf("root ::= \"\""), {""});
}

TEST(Gbnf, Classes) {
  const Grammar grammar = gbnf(R"(root ::= [a-cx\]\x30-\x39\u4e00-\u9fff-])");
  test::expect_matches(grammar, {"a", "c", "x", "]", "5", "中", "-"});
  test::expect_no_matches(grammar, {"d", "", "ab", "é", "\xE4\xB8"});
  const Grammar negative = gbnf(R"(root ::= [^a-z"\n])");
  test::expect_matches(negative, {"A", "中", "😀", " ", "\t"});
  test::expect_no_matches(negative, {"a", "\"", "\n", "AB", "\xFF", "\xED\xA0\x80"});
  test::expect_matches(gbnf("root ::= . ."), {"中\n", "ab"});
}

TEST(Gbnf, Repetitions) {
  test::expect_matches(gbnf("root ::= \"a\"* \"b\"+ \"c\"?"), {"b", "aabbc"});
  test::expect_no_matches(gbnf("root ::= \"a\"* \"b\"+ \"c\"?"), {"a", "abcc", ""});
  const auto counts = [](const std::string& repetition, const std::string& expected) {
    const Grammar grammar = gbnf("root ::= (\"ab\")" + repetition + " \"!\"");
    std::string found;
    std::string text;
    for (int n = 0; n < 8; ++n, text += "ab")
      found += test::matches(grammar, text + "!") ? "1" : "0";
    EXPECT_EQ(found, expected) << repetition;
  };
  counts("{3}", "00010000");
  counts("{2,}", "00111111");
  counts("{1,4}", "01111000");
  counts("{,2}", "11100000");
  counts("{0}", "10000000");
  counts("{0,0}", "10000000");
  counts("{2,2}", "00100000");
  counts("{ 2 , 3 }", "00110000");
  counts("+{2}", "00111111");
  counts("?*", "11111111");
}

TEST(Gbnf, RulesOverSeveralLinesAndComments) {
  const Grammar grammar = gbnf(
      "# a list\n"
      "root ::= item (  # items\n"
      "   \", \" item\n"
      ")* end\n"
      "\n"
      "item ::= \"a\"\n"
      "  | \"b\" # the other\n"
      "  | (\"c\" |\n \"d\")\r\n"
      "end\n ::=\n \".\"\n");
  test::expect_matches(grammar, {"a.", "a, b, d."});
  test::expect_no_matches(grammar, {".", "a,b.", "a, b"});
}

// The notation's own examples, written anew.
constexpr const char* kJson = R"(
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
)";

TEST(Gbnf, Json) {
  const Grammar grammar = gbnf(kJson);
  test::expect_matches(
      grammar,
      {R"({})", R"({"a": [1, -2.5e3, "中\n\u4e2d", true, null, {"b":{}}]})", "{\n  \"a\": \"\"}"});
  test::expect_no_matches(grammar, {"", "[]", "{\"a\"}", "{\"a\": 01}", "{\"a\": 1,}", "{"});
  std::string deep = R"({"a":)", close;
  for (int i = 0; i < 3000; ++i) deep += "[", close += "]";
  EXPECT_TRUE(test::matches(grammar, deep + close + "}"));
  EXPECT_FALSE(test::matches(grammar, deep + close + "]"));
}

TEST(Gbnf, List) {
  const Grammar grammar = gbnf(
      "root ::= item+\n"
      "# Excludes various line breaks\n"
      "item ::= \"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\"\n");
  test::expect_matches(grammar, {"- a\n", "- 苹果\n- two words\n"});
  test::expect_no_matches(grammar, {"", "- a", "-a\n", "- \n"});
}

TEST(Gbnf, Arithmetic) {
  const Grammar grammar = gbnf(R"~(
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
)~");
  test::expect_matches(grammar, {"1+2=x\n", "(a *(b -3))/4 = res\n(1)=1\n"});
  test::expect_no_matches(grammar, {"1+=2\n", "1=2", "(1=2\n"});
}

TEST(Gbnf, Chess) {
  const Grammar grammar = gbnf(R"(
root   ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move   ::= (pawn | nonpawn | castle) [+#]?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn   ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle ::= "O-O" "-O"?
)");
  test::expect_matches(grammar, {"1. e4 e5\n2. Nf3 Nc6\n3. O-O exd4+\n"});
  test::expect_no_matches(grammar, {"1. e4 e5\n", "1. e9 e5\n2. a1 a1\n"});
}

TEST(Gbnf, FaultsAreRefusedWithTheirPlace) {
  const auto refused = [](const std::string& text, const std::string& message) {
    test::expect_refused([&] { gbnf(text); }, message);
  };
  refused("", "g.gbnf:1:1: there is no rule \"root\"");
  refused("a ::= \"x\"", "there is no rule \"root\"");
  refused("root ::= itme\nitem ::= \"x\"",
          "g.gbnf:1:10: rule \"itme\" is not defined, did you mean");
  refused("root ::= \"x\"\nroot ::= \"y\"", "g.gbnf:2:1: rule \"root\" is defined twice");
  refused("root = \"x\"", "g.gbnf:1:6: expected ::=");
  refused("root ::= \"中\" \"x", "g.gbnf:1:14: this literal has no closing \"");
  refused("root ::= [a-", "this class has no ]");
  refused("root ::= [z-a]", "g.gbnf:1:11: this range ends before it begins");
  refused("root ::= (\"x\"", "g.gbnf:1:10: this group has no )");
  refused("root ::= \"x\")", "g.gbnf:1:13: expected the end of the rule");
  refused("root ::= \"\\q\"", "unknown escape");
  refused("root ::= \"\\u12\"", "expected 4 hexadecimal digits");
  refused("root ::= \"\\ud800\"", "no character has this number");
  refused("root ::= \"x\"{a}", "expected a number behind {");
  refused("root ::= \"x\"{2", "expected } behind the repetitions");
  refused("root ::= \"x\"{3,2}", "at most 2 repetitions are fewer than at least 3");
  refused("root ::= \"x\"{99999999999}", "at most 100000 repetitions");
  refused("root ::= <think>", "tokens (<…>) in grammars are not done");
  refused("root ::= \"x\" ;", "expected a literal, a class, a group or a rule's name, got \";\"");
  refused("root ::= \"\xFF\"", "not valid UTF-8");
  refused("root ::= " + std::string(300, '('), "nested deeper");
}

}  // namespace
}  // namespace llmctl::grammar
