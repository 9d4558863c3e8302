#include "text/grammar/token_constraint.h"

#include <thread>

#include "support/byte_tokenizer.h"
#include "text/grammar/matching.h"
#include "text/grammar/token_masks.h"
#include "text/grammar/word_tokenizer.h"
#include "text/stream.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using grammar::test::expect_refused;

using test::WordTokenizer;

TokenConstraint choices(const std::shared_ptr<const WordTokenizer>& tokenizer,
                        const std::vector<std::string>& texts) {
  return make_constraint({.choices = texts}, tokenizer, {tokenizer->end()});
}

std::vector<std::string> allowed(TokenConstraint& constraint, const Tokenizer& tokenizer,
                                 std::int64_t further = 1000) {
  std::vector<std::string> pieces;
  const auto mask = constraint.allowed(further);
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (mask->has(id)) pieces.push_back(tokenizer.piece(id));
  }
  return pieces;
}

using Pieces = std::vector<std::string>;

TEST(TokenConstraint, AllowsWhatTheGrammarAllows) {
  const auto tokenizer = std::make_shared<const WordTokenizer>(
      Pieces{"y", "ye", "yes", "s", "n", "o", "yesno", "no", "e", "x"});
  TokenConstraint constraint = choices(tokenizer, {"yes", "no", "yesno"});
  EXPECT_EQ(allowed(constraint, *tokenizer), (Pieces{"y", "ye", "yes", "n", "yesno", "no"}));
  EXPECT_FALSE(constraint.can_end());
  TokenConstraint other = constraint;
  EXPECT_TRUE(constraint.accept(1));  // ye
  EXPECT_EQ(allowed(constraint, *tokenizer), (Pieces{"s"}));
  EXPECT_TRUE(constraint.accept(3));
  EXPECT_TRUE(constraint.can_end());
  EXPECT_EQ(allowed(constraint, *tokenizer), (Pieces{"n", "no", "</s>"}));
  EXPECT_TRUE(other.accept(7));  // the copy is where it was
  EXPECT_EQ(allowed(other, *tokenizer), (Pieces{"</s>"}));
  EXPECT_TRUE(other.accept(tokenizer->end()));
  EXPECT_FALSE(other.accept(9));
  EXPECT_EQ(allowed(other, *tokenizer), (Pieces{"</s>"}));  // nothing but the end is left
}

TEST(TokenConstraint, LooksForTokensThatLeadToTheEnd) {
  // No token has the "d" that would complete "abcd", nor the "z".
  const auto tokenizer =
      std::make_shared<const WordTokenizer>(Pieces{"a", "ab", "abc", "x", "y", "bc"});
  TokenConstraint constraint = choices(tokenizer, {"abcd", "xy", "az", "abcx"});
  EXPECT_EQ(allowed(constraint, *tokenizer), (Pieces{"a", "abc", "x"}));
  EXPECT_TRUE(constraint.accept(0));
  EXPECT_EQ(allowed(constraint, *tokenizer), (Pieces{"bc"}));
  expect_refused(
      [&] {
        choices(tokenizer, {"abcd", "z"});
      },
      "no tokens of the vocabulary spell a text that the grammar allows");
}

TEST(TokenConstraint, FinishesInTime) {
  const auto tokenizer = std::make_shared<const test::ByteTokenizer>();
  ConstraintSpec spec{.grammar = "root ::= \"(\" root* \")\" | [a-z]+", .finish_in_time = true};
  Random random(random_key(1, "time"));
  const TokenConstraint start = make_constraint(spec, tokenizer, {257});
  for (int i = 0; i < 300; ++i) {
    const auto room = static_cast<std::int64_t>(1 + random.below(30));
    TokenConstraint constraint = start;
    for (std::int64_t left = room; left > 0; --left) {
      const auto mask = constraint.allowed(left - 1);
      std::vector<TokenId> ids;
      for (TokenId id = 0; id < 258; ++id) {
        if (mask->has(id)) ids.push_back(id);
      }
      ASSERT_FALSE(ids.empty());
      const TokenId id = ids[random.below(ids.size())];
      if (id == 257) break;
      ASSERT_TRUE(constraint.accept(id));
    }
    EXPECT_TRUE(constraint.can_end()) << room;
  }
}

TEST(TokenConstraint, MasksAreMadeOncePerState) {
  const auto tokenizer = test::trained_tokenizer("causal", "bpe");
  const grammar::Grammar any = parse_constraint({.json_schema = Json::object()});
  grammar::TokenMasks masks(std::make_shared<const grammar::Automaton>(any),
                            grammar::token_tries(tokenizer), {2});
  grammar::Place place = masks.start();
  ASSERT_TRUE(masks.accept(place, "[\""));
  for (int i = 0; i < 50; ++i) {
    masks.mask(place, {});
    ASSERT_TRUE(masks.accept(place, "word "));
  }
  EXPECT_EQ(masks.made(), 1);
}

TEST(TokenConstraint, IsSharedByThreads) {
  const auto tokenizer = test::trained_tokenizer("causal", "bpe");
  const TokenConstraint start =
      make_constraint({.json_schema = Json::object()}, tokenizer, {*tokenizer->special().eos});
  std::vector<std::thread> threads;
  std::vector<std::vector<TokenId>> chosen(4);
  for (std::size_t t = 0; t < chosen.size(); ++t) {
    threads.emplace_back([&, t] {
      Random random(random_key(9, "threads"));  // all the same
      TokenConstraint constraint = start;
      for (int i = 0; i < 60; ++i) {
        const auto mask = constraint.allowed();
        TokenId id = static_cast<TokenId>(random.below(static_cast<std::uint64_t>(mask->size())));
        while (!mask->has(id)) id = (id + 1) % static_cast<TokenId>(mask->size());
        chosen[t].push_back(id);
        if (id == tokenizer->special().eos) break;
        constraint.accept(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : chosen) EXPECT_EQ(ids, chosen[0]);
}

TEST(TokenConstraint, OneKindAtATime) {
  EXPECT_EQ(test::error_of([] { parse_constraint({}); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(test::error_of([] { parse_constraint({.choices = {"a"}, .regex = "a"}); }).code(),
            ErrorCode::kUsage);
  expect_refused([] { parse_constraint({.regex = "(", .source = "generation.regex"}); },
                 "generation.regex:1:1: this group has no )");
}

}  // namespace
}  // namespace llmctl
