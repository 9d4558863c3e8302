#include "text/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "text/model_builder.h"
#include "text/random_text.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using test::wire_bytes;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = SentencePieceModel::Kind;
using Type = SentencePieceModel::PieceType;

const std::string kSpace = "\u2581";

/// 0 <unk>, 1 <s>, 2 </s>, then "▁", "a", "b", "▁a", "ab", "我".
ModelBuilder letters() {
  return ModelBuilder()
      .specials()
      .kind(Kind::kBpe)
      .prefixed()
      .piece(kSpace, -10)
      .piece("a", -11)
      .piece("b", -12)
      .piece(kSpace + "a", -1)
      .piece("ab", -2)
      .piece("我", -13);
}

std::string error_of(ErrorCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(SentencePieceTokenizer, EncodesAndDecodes) {
  const SentencePieceTokenizer tokenizer(letters().build(), "x");
  EXPECT_EQ(tokenizer.vocab_size(), 9);
  EXPECT_THAT(tokenizer.encode("a b"), ElementsAre(6, 3, 5));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre());
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{6, 3, 5}), "a b");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{3, 6}), " a");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{1, 6, 2, 6}), "a a");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{1, 6, 2, 6}, true), "<s> a</s> a");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{}), "");
  EXPECT_EQ(tokenizer.piece(6), kSpace + "a");
  EXPECT_EQ(tokenizer.find("ab"), 7);
  EXPECT_EQ(tokenizer.find("abc"), std::nullopt);
  EXPECT_EQ(tokenizer.token_bytes(6), " a");
  EXPECT_EQ(tokenizer.token_bytes(1), "<s>");
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_byte(4));
  EXPECT_TRUE(tokenizer.begins_word(6));
  EXPECT_TRUE(tokenizer.begins_word(1));
  EXPECT_FALSE(tokenizer.begins_word(7));
  EXPECT_EQ(tokenizer.description(), "SentencePiece bpe, 9 pieces");
}

TEST(SentencePieceTokenizer, UnknownCharactersAreOnePiecePerRun) {
  const SentencePieceTokenizer tokenizer(letters().build(), "x");
  const Encoding encoding = tokenizer.encode_with_offsets("axyb😀");
  EXPECT_THAT(encoding.ids, ElementsAre(6, 0, 5, 0));
  EXPECT_THAT(encoding.offsets,
              ElementsAre(ByteSpan{0, 1}, ByteSpan{1, 3}, ByteSpan{3, 4}, ByteSpan{4, 8}));
  EXPECT_EQ(tokenizer.decode(encoding.ids), "a \u2047 b \u2047 ");
}

TEST(SentencePieceTokenizer, ByteFallback) {
  const SentencePieceTokenizer tokenizer(letters().bytes().build(), "x");
  const Encoding encoding = tokenizer.encode_with_offsets("a我é\n");
  EXPECT_THAT(encoding.ids, ElementsAre(6, 8, 9 + 0xC3, 9 + 0xA9, 9 + 0x0A));
  EXPECT_THAT(encoding.offsets, ElementsAre(ByteSpan{0, 1}, ByteSpan{1, 4}, ByteSpan{4, 4},
                                            ByteSpan{4, 6}, ByteSpan{6, 7}));
  EXPECT_EQ(tokenizer.decode(encoding.ids), "a我é\n");
  EXPECT_EQ(tokenizer.token_bytes(9 + 0xC3), "\xC3");
  EXPECT_TRUE(tokenizer.is_byte(9 + 0xC3));
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{9 + 0xC3, 4, 9 + 0xE4, 9 + 0xBD}),
            "\uFFFDa\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer.description(), "SentencePiece bpe, 265 pieces, byte fallback");
}

TEST(SentencePieceTokenizer, ExtraSpacesDroppedInDecodingToo) {
  const SentencePieceTokenizer tokenizer(letters().normalizer(test::wire_integer(4, 1)).build(),
                                         "x");
  EXPECT_THAT(tokenizer.encode("  a  b "), ElementsAre(6, 3, 5));
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{3, 3, 6, 3, 5}), "a b");
}

TEST(SentencePieceTokenizer, RangeIsCheckedByEveryFunction) {
  const SentencePieceTokenizer tokenizer(letters().build(), "x");
  for (const TokenId id : {-1, 9, 999999}) {
    const std::string expected =
        "token id " + std::to_string(id) + " is outside the vocabulary of 9";
    EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.piece(id); }), expected);
    EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.token_bytes(id); }), expected);
    EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.is_special(id); }), expected);
    EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.is_byte(id); }), expected);
    EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.begins_word(id); }), expected);
    EXPECT_EQ(error_of(ErrorCode::kData,
                       [&] {
                         tokenizer.decode(std::vector<TokenId>{4, id});
                       }),
              expected);
  }
}

TEST(SentencePieceTokenizer, InvalidUtf8NamesTheByte) {
  const SentencePieceTokenizer tokenizer(letters().build(), "x");
  const std::string expected = "the text is not valid UTF-8 at byte 2";
  EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.encode("ab\xFFx"); }), expected);
  EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.encode_with_offsets("ab\xE4\xBD"); }),
            expected);
  EXPECT_EQ(error_of(ErrorCode::kData, [&] { tokenizer.encode_with_special_pieces("ab\xE4\xBD"); }),
            expected);
}

TEST(SentencePieceTokenizer, SpecialTokensByTheirNames) {
  const SentencePieceTokenizer causal(letters().build(), "x");
  EXPECT_EQ(causal.special().unk, 0);
  EXPECT_EQ(causal.special().bos, 1);
  EXPECT_EQ(causal.special().eos, 2);
  EXPECT_EQ(causal.special().pad, std::nullopt);
  EXPECT_EQ(causal.special().cls, std::nullopt);

  ModelBuilder builder;
  for (const char* name : {"[PAD]", "[CLS]", "[SEP]", "[MASK]"})
    builder.piece(name, 0, Type::kControl);
  builder.piece("[UNK]", 0, Type::kUnknown).piece("<s>", -1);
  builder.trainer(wire_bytes(46, "[CLS]") + wire_bytes(47, "[SEP]"));
  const SentencePieceTokenizer masked(builder.build(), "x");
  EXPECT_EQ(masked.special().pad, 0);
  EXPECT_EQ(masked.special().cls, 1);
  EXPECT_EQ(masked.special().sep, 2);
  EXPECT_EQ(masked.special().mask, 3);
  EXPECT_EQ(masked.special().unk, 4);
  EXPECT_EQ(masked.special().bos, std::nullopt);  // "<s>" is an ordinary piece here
  EXPECT_EQ(masked.special().eos, std::nullopt);
  std::vector<TokenId> types;
  const std::vector<TokenId> b = {9};
  EXPECT_THAT(masked.with_special(std::vector<TokenId>{7, 8}, &b, &types),
              ElementsAre(1, 7, 8, 2, 9, 2));
  EXPECT_THAT(types, ElementsAre(0, 0, 0, 0, 1, 1));
}

TEST(SentencePieceTokenizer, SpecialTokensByTheConfiguration) {
  const Json config = {{"pad_token", "</s>"},
                       {"mask_token", {{"content", "b"}, {"lstrip", true}}},
                       {"bos_token", nullptr},
                       {"chat_template", "keep me"}};
  const SentencePieceTokenizer tokenizer(letters().build(), "dir/tokenizer.model", config);
  EXPECT_EQ(tokenizer.special().pad, 2);
  EXPECT_EQ(tokenizer.special().mask, 5);
  EXPECT_EQ(tokenizer.special().bos, 1);
  EXPECT_TRUE(tokenizer.is_special(5));
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{4, 5, 4}), "aa");
  EXPECT_EQ(error_of(ErrorCode::kData,
                     [&] {
                       SentencePieceTokenizer(letters().build(), "dir/tokenizer.model",
                                              Json{{"pad_token", "[PAD]"}});
                     }),
            "dir/tokenizer.model: pad_token \"[PAD]\" of tokenizer_config.json is not among the "
            "model's pieces");
  EXPECT_THAT(error_of(ErrorCode::kData,
                       [&] {
                         SentencePieceTokenizer(letters().build(), "x", Json{{"pad_token", 3}});
                       }),
              HasSubstr("pad_token: expected a string or an object"));
}

TEST(SentencePieceTokenizer, SpecialNamesInTextAreTextUnlessAskedFor) {
  const auto tokenizer = test::trained_tokenizer("masked");
  const auto mask = *tokenizer->special().mask;
  for (const TokenId id : tokenizer->encode("the [MASK] sat [CLS][SEP] [PAD]")) {
    EXPECT_FALSE(tokenizer->is_special(id));
  }
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("the [MASK] sat")), "the [MASK] sat");

  // The parts are what the whole text has around the mask: one word taken out, nothing else.
  const Encoding masked = tokenizer->encode_with_special_pieces("The [MASK] sat in the park.");
  std::vector<TokenId> expected = tokenizer->encode("The");
  expected.push_back(mask);
  const std::vector<TokenId> rest = tokenizer->encode("sat in the park.");
  expected.insert(expected.end(), rest.begin(), rest.end());
  EXPECT_EQ(masked.ids, expected);
  EXPECT_EQ(masked.offsets[tokenizer->encode("The").size()], (ByteSpan{4, 10}));
  EXPECT_EQ(masked.offsets.back().end, 27u);

  // Behind a special token there is no space of the tokenizer's own.
  const Encoding chinese = tokenizer->encode_with_special_pieces("我今天[MASK]了公园");
  EXPECT_EQ(tokenizer->decode(chinese.ids, true), "我今天[MASK]了公园");
  const Encoding first = tokenizer->encode_with_special_pieces("[MASK]了[SEP]");
  EXPECT_EQ(first.ids.front(), mask);
  EXPECT_EQ(first.ids.back(), *tokenizer->special().sep);
  EXPECT_EQ(tokenizer->decode(first.ids, true), "[MASK]了[SEP]");
  EXPECT_EQ(tokenizer->encode_with_special_pieces("no specials").ids,
            tokenizer->encode("no specials"));
  EXPECT_TRUE(tokenizer->encode_with_special_pieces("").ids.empty());

  const std::vector<TokenId> only = {mask};
  const auto ids = tokenizer->encode_with_special_pieces("a[SEP]b[MASK][CLS]", only).ids;
  EXPECT_EQ(
      std::count_if(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer->is_special(id); }),
      1);
  EXPECT_EQ(tokenizer->decode(ids, true), "a[SEP]b[MASK][CLS]");
}

TEST(SentencePieceTokenizer, FingerprintFollowsWhatDecidesTheIds) {
  const auto print = [](const ModelBuilder& builder, Json config = nullptr) {
    return SentencePieceTokenizer(builder.build(), "x", std::move(config)).fingerprint();
  };
  const std::string base = print(letters());
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(print(letters()), base);
  // The trainer's notes do not count.
  EXPECT_EQ(print(letters().trainer(wire_bytes(1, "input.txt") + wire_bytes(2, "prefix"))), base);
  EXPECT_EQ(print(letters(), Json{{"chat_template", "x"}}), base);
  EXPECT_NE(print(letters().piece("c", -14)), base);
  EXPECT_NE(print(letters().kind(Kind::kUnigram)), base);
  EXPECT_NE(print(letters().plain()), base);
  EXPECT_NE(print(letters(), Json{{"pad_token", "</s>"}}), base);
  EXPECT_NE(print(letters().trainer(wire_bytes(44, "?"))), base);
}

// decode(encode(x)) == x, and offsets that cover the text in order.
TEST(SentencePieceTokenizer, RoundTripAndOffsetsOnRandomTexts) {
  Random random(random_key(17, "round trip"));
  for (const char* recipe : {"causal", "masked"}) {
    for (const char* type : {"bpe", "unigram"}) {
      const auto tokenizer = test::trained_tokenizer(recipe, type);
      for (int i = 0; i < 500; ++i) {
        const std::string text = test::random_text(random, 1 + random.below(30));
        const Encoding encoding = tokenizer->encode_with_offsets(text);
        ASSERT_EQ(tokenizer->encode(text), encoding.ids);
        ASSERT_EQ(tokenizer->decode(encoding.ids), text);
        ASSERT_EQ(encoding.ids.size(), encoding.offsets.size());
        std::size_t at = 0;
        std::string covered;
        for (const ByteSpan span : encoding.offsets) {
          ASSERT_EQ(span.begin, at);
          ASSERT_LE(span.begin, span.end);
          at = span.end;
          covered += text.substr(span.begin, span.end - span.begin);
        }
        ASSERT_EQ(covered, text);
        const Encoding special = tokenizer->encode_with_special_pieces(text);
        ASSERT_EQ(special.ids.size(), special.offsets.size());
        // (The masked recipe drops the white space before a mask.)
        if (!tokenizer->special().mask) ASSERT_EQ(tokenizer->decode(special.ids, true), text);
      }
    }
  }
}

TEST(SentencePieceTokenizer, NulAndTheSpaceSignItself) {
  const auto tokenizer = test::trained_tokenizer();
  const std::string nul("a\0b", 3);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(nul)), nul);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\u2581b")), "a b");  // documented
}

TEST(SentencePieceTokenizer, ThreadsShareOne) {
  const auto tokenizer = test::trained_tokenizer();
  const auto& documents = test::sample_documents();
  std::vector<std::vector<TokenId>> expected;
  for (const auto& text : documents) expected.push_back(tokenizer->encode(text));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < documents.size(); ++i) {
        if (tokenizer->encode(documents[i]) != expected[i]) ++wrong;
        if (tokenizer->encode_with_special_pieces("</s>x").ids.size() < 2) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace llmctl
