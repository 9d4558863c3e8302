// Constrained texts of many random grammars, regular expressions and schemas, drawn by random
// logits over a small vocabulary: each follows its grammar, as judged by others than the matcher.
#include <gtest/gtest.h>

#include <regex>

#include "text/grammar/gbnf.h"
#include "text/grammar/matching.h"
#include "text/grammar/random_grammars.h"
#include "text/grammar/schema_checker.h"
#include "text/grammar/token_constraint.h"
#include "text/grammar/word_tokenizer.h"

namespace llmctl {
namespace {

class RandomGrammars : public testing::Test {
 protected:
  /// A text of at most `room` tokens, by the greatest of random logits or by chance among the
  /// allowed; nothing when no text of the grammar has so few.
  std::optional<std::string> generate(ConstraintSpec spec, std::int64_t room) {
    spec.finish_in_time = true;
    TokenConstraint constraint = make_constraint(spec, tokenizer_, {tokenizer_->end()});
    std::string text;
    for (std::int64_t left = room; left > 0; --left) {
      const auto mask = constraint.allowed(left - 1);
      std::vector<TokenId> ids;
      for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
        if (mask->has(id)) ids.push_back(id);
      }
      if (ids.empty() && left == room) return std::nullopt;
      EXPECT_FALSE(ids.empty()) << text;
      if (ids.empty()) return text;
      const TokenId id = ids[random_.below(ids.size())];
      if (id == tokenizer_->end()) break;
      EXPECT_TRUE(constraint.accept(id));
      text += tokenizer_->piece(id);
    }
    EXPECT_TRUE(constraint.can_end()) << text;
    return text;
  }

  std::uint64_t room() { return 10 + random_.below(40); }

  Random random_{random_key(42, "grammars")};
  test::GrammarWriter writer_{random_};
  const std::shared_ptr<const test::WordTokenizer> tokenizer_ =
      std::make_shared<const test::WordTokenizer>(
          test::bytes_and({"ab",  "abc", "我们", "我", "天", "天 ",    "\xE6\x88", "\", \"",
                           "{\"", "\":", "[[",   "]]", "12", "100",    "true",     "null",
                           "xy",  "xyz", "((",   "))", "b)", "\"名\"", "😀",        "  "}));
};

TEST_F(RandomGrammars, OfGbnf) {
  int texts = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string source = writer_.gbnf();
    SCOPED_TRACE(source);
    try {
      const auto text = generate({.grammar = source}, static_cast<std::int64_t>(room()));
      if (!text) continue;
      const grammar::Grammar grammar = grammar::parse_gbnf(source, "g");
      ASSERT_TRUE(test::Recogniser(grammar, *text).matches()) << *text;
      ++texts;
    } catch (const Error& error) {
      // Rules that need one another, or that may call themselves in ever more ways.
      const std::string_view what = error.what();
      ASSERT_TRUE(what.starts_with("no text completes") ||
                  what.starts_with("the grammar is too ambiguous"))
          << what;
    }
  }
  EXPECT_GT(texts, 3500);
}

TEST_F(RandomGrammars, OfRegularExpressions) {
  int texts = 0;
  for (int i = 0; i < 2500; ++i) {
    const std::string source = writer_.regex();
    SCOPED_TRACE(source);
    const auto text = generate({.regex = source}, static_cast<std::int64_t>(room()));
    if (!text) continue;
    ++texts;
    grammar::Grammar grammar = parse_constraint({.regex = source});
    ASSERT_TRUE(test::Recogniser(grammar, *text).matches()) << *text;
    const bool ascii = std::all_of(text->begin(), text->end(), [](char c) { return c > 0; });
    if (ascii) ASSERT_TRUE(std::regex_match(*text, std::regex(source))) << *text;
  }
  EXPECT_GT(texts, 2000);
}

TEST_F(RandomGrammars, OfSchemas) {
  int texts = 0;
  for (int i = 0; i < 2500; ++i) {
    const Json schema = writer_.schema();
    SCOPED_TRACE(schema.dump());
    const auto text = generate({.json_schema = schema}, static_cast<std::int64_t>(20 + room()));
    if (!text) continue;
    ++texts;
    const Json value = Json::parse(*text, nullptr, false);
    ASSERT_FALSE(value.is_discarded()) << *text;
    ASSERT_TRUE(grammar::test::satisfies(value, schema, schema)) << *text;
  }
  EXPECT_GT(texts, 2000);
}

}  // namespace
}  // namespace llmctl
