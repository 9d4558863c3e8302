// Constrained texts over every kind of tokenizer: what is decoded follows the grammar, and masks
// are what asking for each token on its own gives.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "base/utf8.h"
#include "support/parity_dir.h"
#include "text/grammar/matching.h"
#include "text/grammar/token_constraint.h"
#include "text/stream.h"

namespace llmctl {
namespace {

struct NamedSpec {
  const char* name;
  ConstraintSpec spec;
  bool needs_bytes = true;  ///< characters that not every vocabulary has
};

std::vector<NamedSpec> specs() {
  Json person = parse_json(R"({"type": "object", "properties": {
      "name": {"type": "string", "maxLength": 6}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
      "城市": {"enum": ["北京", "上海"]}, "tags": {"type": "array", "items": {"type": "string"}}},
      "required": ["name", "城市"]})",
                           "schema");
  return {{"choices", {.choices = {"the man", "the", "中国", "中 国", "man"}}, false},
          {"letters", {.regex = "[a-z ]{1,40}"}, false},
          {"chinese", {.regex = "([\\p{Han} ]{1,3}[,.] ?){1,5}"}, false},
          {"any", {.regex = "(.|\n)*"}, false},
          {"emoji", {.regex = "(😀|é|中|\\u0007){1,9}"}},
          {"json", {.json_schema = person}},
          {"any json", {.json_schema = Json::object()}},
          {"gbnf",
           {.grammar = "root ::= \"(\" ws root* ws \")\" | [一-龥a-z]+ \" \"?\nws ::= \" \"?"},
           false}};
}

/// Nothing where no tokens of the vocabulary spell a text of the grammar.
std::optional<TokenConstraint> made(const std::function<TokenConstraint()>& make) {
  try {
    return make();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("no tokens of the vocabulary spell"))
        << error.what();
    return std::nullopt;
  }
}

/// Counts the texts.
void walk(const NamedSpec& named, const std::shared_ptr<const Tokenizer>& tokenizer, Random& random,
          std::size_t& texts) {
  SCOPED_TRACE(named.name);
  const TokenId end = tokenizer->special().eos.value_or(tokenizer->special().sep.value_or(0));
  ConstraintSpec spec = named.spec;
  spec.finish_in_time = true;
  const auto base = made([&] { return make_constraint(spec, tokenizer, {end}); });
  if (!base) return;
  const grammar::Matcher start(parse_constraint(spec));
  for (int i = 0; i < 24; ++i) {
    const bool continues = i % 2 == 0;
    // The vocabularies of WordPiece have no words without a space behind other text.
    const auto at_start = made([&] { return base->at_start(continues); });
    if (!at_start) continue;
    TokenConstraint constraint = *at_start;
    StreamDecoder decoder(tokenizer, false, continues);
    grammar::Matcher before = start;
    DecodeState state{.at_start = !continues};
    std::vector<TokenId> ids;
    std::string text;
    bool ended = false;
    for (std::int64_t left = 120; left > 0 && !ended; --left) {
      const auto mask = constraint.allowed(left - 1);
      if (i < 2 && left > 114) {
        // As asking for each token on its own.
        const auto all = constraint.allowed();
        for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
          if (id == end || tokenizer->is_special(id) || id == tokenizer->special().unk) continue;
          DecodeState own = state;
          const std::string bytes = tokenizer->decode_next(id, own, false);
          grammar::Matcher matcher = before;
          const bool follows = matcher.accept(bytes) && (!bytes.empty() || state.at_start);
          // Vocabularies without all bytes: what leads nowhere is not allowed.
          if (named.needs_bytes || !follows || all->has(id)) {
            ASSERT_EQ(all->has(id), follows) << tokenizer->piece(id) << " behind " << text;
          }
        }
        EXPECT_EQ(all->has(end), before.complete());
      }
      std::vector<TokenId> possible;
      for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
        if (mask->has(id)) possible.push_back(id);
      }
      ASSERT_FALSE(possible.empty()) << text;
      const TokenId id = possible[random.below(possible.size())];
      ended = id == end;
      if (ended) break;
      ASSERT_TRUE(constraint.accept(id));
      ids.push_back(id);
      before.accept(tokenizer->decode_next(id, state, false));
      text += decoder.push(id);
    }
    text += decoder.finish();
    ASSERT_TRUE(constraint.can_end()) << text;
    ASSERT_FALSE(find_invalid_utf8(text)) << text;
    grammar::Matcher matcher = start;
    ASSERT_TRUE(matcher.accept(text) && matcher.complete()) << text;
    if (!continues) EXPECT_EQ(tokenizer->decode(ids), text);
    ++texts;
  }
}

TEST(TokenConstraintParity, RandomTextsOfEveryTokenizer) {
  const auto cases = test::parity_cases("tokenizers");
  if (cases.empty()) LLMCTL_NEEDS_PARITY("tokenizers/spm_bpe");
  std::size_t cases_walked = 0;
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const auto tokenizer = load_tokenizer(directory);
    const bool all_bytes =
        directory.filename().string().starts_with("bytebpe") || directory.filename() == "spm_bpe";
    Random random(random_key(17, directory.filename().string()));
    for (const NamedSpec& named : specs()) {
      if (named.needs_bytes && !all_bytes) continue;
      std::size_t texts = 0;
      walk(named, tokenizer, random, texts);
      if (all_bytes) EXPECT_GT(texts, 20u) << named.name;
      if (testing::Test::HasFatalFailure()) return;
      cases_walked += texts > 0;
    }
  }
  EXPECT_GE(cases_walked, 5 * 8 + 4u);
}

}  // namespace
}  // namespace llmctl
