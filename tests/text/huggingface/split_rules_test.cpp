// The linear walks against the regular expressions that they stand for.
#include "text/huggingface/split_rules.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "text/characters.h"
#include "text/random_text.h"
#include "text/regex.h"

namespace llmctl {
namespace {

constexpr char kLlama3[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<TextRange> by_rule(SplitRule rule, std::string_view text) {
  std::vector<TextRange> parts;
  split_by_rule(rule, text, {0, static_cast<std::uint32_t>(text.size())}, parts);
  return parts;
}

std::vector<TextRange> by_regex(const Regex& regex, std::string_view text) {
  std::vector<TextRange> parts;
  regex.for_each_match(text, {0, static_cast<std::uint32_t>(text.size())},
                       [&](TextRange match) { parts.push_back(match); });
  return parts;
}

std::string spell(std::string_view text, const std::vector<TextRange>& parts) {
  std::string list;
  for (const TextRange part : parts) {
    list += "[" + std::string(text.substr(part.begin, part.size())) + "]";
  }
  return list;
}

/// Libraries know different versions of Unicode: PCRE2 takes U+180E for white space, which it no
/// longer is, and misses the newest letters.
class Classes {
 public:
  bool agree(std::string_view text) const {
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, length] = character_at(text, at);
      const TextRange range{static_cast<std::uint32_t>(at),
                            static_cast<std::uint32_t>(at) + length};
      const auto fits = [&](const Regex& regex) {
        bool found = false;
        regex.for_each_match(text, range, [&](TextRange) { found = true; });
        return found;
      };
      const CharacterClass expected = fits(letter_)            ? CharacterClass::kLetter
                                      : fits(number_)          ? CharacterClass::kNumber
                                      : !fits(space_)          ? CharacterClass::kOther
                                      : c == '\r' || c == '\n' ? CharacterClass::kNewline
                                                               : CharacterClass::kSpace;
      if (class_of(c) != expected) return false;
      at += length;
    }
    return true;
  }

 private:
  Regex letter_{R"(\p{L})", "test"}, number_{R"(\p{N})", "test"}, space_{R"(\s)", "test"};
};

TEST(SplitRules, AreRecognised) {
  EXPECT_EQ(split_rule_of(kGpt2Expression), SplitRule::kGpt2);
  EXPECT_EQ(split_rule_of(kLlama3), SplitRule::kLlama3);
  EXPECT_EQ(split_rule_of(kQwen2Expression), SplitRule::kQwen2);
  EXPECT_EQ(split_rule_of(R"(\p{L}+)"), std::nullopt);
}

TEST(SplitRules, ByHand) {
  const std::string text = "It's 12345  o'clock,\n\n  I'LL go—我们走吧！ \t\n x  ";
  EXPECT_EQ(spell(text, by_rule(SplitRule::kGpt2, text)),
            "[It]['s][ 12345][ ][ o]['][clock][,][\n\n ][ I]['][LL][ go][—][我们走吧][！][ \t\n]"
            "[ x][  ]");
  EXPECT_EQ(spell(text, by_rule(SplitRule::kLlama3, text)),
            "[It]['s][ ][123][45][ ][ o]['clock][,\n\n][ ][ I]['LL][ go][—我们走吧][！][ \t\n][ x]"
            "[  ]");
  EXPECT_EQ(spell(text, by_rule(SplitRule::kQwen2, text)),
            "[It]['s][ ][1][2][3][4][5][ ][ o]['clock][,\n\n][ ][ I]['LL][ go][—我们走吧][！]"
            "[ \t\n][ x][  ]");
}

TEST(SplitRules, AreTheExpressions) {
  const Regex gpt2(kGpt2Expression, "test"), llama3(kLlama3, "test"),
      qwen2(kQwen2Expression, "test");
  Random random(random_key(7, "splits"));
  static const std::vector<std::string> kParts = {
      "'s",     "'S",     "'T", "'re",    "'rE",        "'lL",  "'\u017F", "'x",
      " '",     "'",      " ",  "  ",     "\n",         "\r\n", "\t",      "\u3000",
      "\u0085", "\u00A0", "12", "\u0663", "\u2160",     "a",    "Bc",      "\u6211",
      "\u0301", "!",      "?!", "\u2014", "\U0001F600", "_",    "\u200D",  "\u180E"};
  const Classes classes;
  int compared = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    if (round % 2 == 0) {
      text = test::random_text(random, 1 + random.below(12));
    } else {
      for (std::uint64_t i = 1 + random.below(10); i > 0; --i) {
        text += kParts[random.below(kParts.size())];
      }
    }
    if (!classes.agree(text)) continue;
    ++compared;
    EXPECT_EQ(spell(text, by_rule(SplitRule::kGpt2, text)), spell(text, by_regex(gpt2, text)));
    EXPECT_EQ(spell(text, by_rule(SplitRule::kLlama3, text)), spell(text, by_regex(llama3, text)));
    EXPECT_EQ(spell(text, by_rule(SplitRule::kQwen2, text)), spell(text, by_regex(qwen2, text)));
    if (HasFailure()) break;
  }
  EXPECT_GT(compared, 3000);
}

TEST(SplitRules, OfAPartOfAText) {
  const std::string text = "ab cd ef";
  std::vector<TextRange> parts;
  split_by_rule(SplitRule::kGpt2, text, {1, 6}, parts);
  EXPECT_EQ(spell(text, parts), "[b][ cd][ ]");
}

}  // namespace
}  // namespace llmctl
