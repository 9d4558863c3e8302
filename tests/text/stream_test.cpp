#include "text/stream.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/utf8.h"
#include "support/byte_tokenizer.h"
#include "text/random_text.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

std::string stream_all(StreamDecoder& decoder, const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_FALSE(find_invalid_utf8(piece).has_value());  // never a part of a character
    text += piece;
  }
  return text + decoder.finish();
}

TEST(StreamDecoder, EqualsDecode) {
  Random random(random_key(23, "stream"));
  for (const char* type : {"bpe", "unigram", "char", "word"}) {
    const auto tokenizer = test::trained_tokenizer("causal", type);
    for (int i = 0; i < 300; ++i) {
      std::vector<TokenId> ids;
      if (i % 2 == 0) {
        ids = tokenizer->encode(test::random_text(random, 1 + random.below(20)));
      } else {  // any ids: broken characters, special tokens
        for (std::uint64_t n = random.below(30); n > 0; --n) {
          ids.push_back(static_cast<TokenId>(
              random.below(static_cast<std::uint64_t>(tokenizer->vocab_size()))));
        }
      }
      for (const bool keep : {false, true}) {
        StreamDecoder decoder(tokenizer, keep);
        ASSERT_EQ(stream_all(decoder, ids), tokenizer->decode(ids, keep));
        ASSERT_EQ(stream_all(decoder, ids), tokenizer->decode(ids, keep));  // again from the start
      }
    }
  }
}

TEST(StreamDecoder, HoldsBackPartsOfCharacters) {
  const auto tokenizer = std::make_shared<test::ByteTokenizer>();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(0xE6), "");
  EXPECT_EQ(decoder.push(0x88), "");
  EXPECT_EQ(decoder.push(0x91), "我");
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(0xE6), "");
  EXPECT_EQ(decoder.push('b'), "\uFFFDb");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(256), "");  // <s>
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, ContinuesAText) {
  const auto tokenizer = test::trained_tokenizer();
  const std::vector<TokenId> ids = tokenizer->encode("the park");
  StreamDecoder alone(tokenizer), after(tokenizer, false, true);
  EXPECT_EQ(stream_all(alone, ids), "the park");
  EXPECT_EQ(stream_all(after, ids), " the park");
  EXPECT_EQ(stream_all(after, ids), " the park");
}

}  // namespace
}  // namespace llmctl
