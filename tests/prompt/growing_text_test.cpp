#include "prompt/growing_text.h"

#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"

namespace llmctl::test {
namespace {

class Growing : public ::testing::Test {
 protected:
  /// Pushes the bytes of `text` until a stop; returns how many were taken, the one that completed
  /// the stop string included.
  std::size_t push(GrowingText& growing, const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool done = growing.push(static_cast<unsigned char>(text[i]));
      shown += growing.take();
      if (done) return i + 1;
    }
    return text.size();
  }
  std::shared_ptr<const Tokenizer> tokenizer = std::make_shared<ByteTokenizer>();
  std::string shown;
};

TEST_F(Growing, ShowsCompleteCharacters) {
  const std::vector<std::string> stop;
  GrowingText text(tokenizer, true, stop);
  EXPECT_FALSE(text.push(0xe8));
  EXPECT_EQ(text.take(), "");
  EXPECT_FALSE(text.push(0x8a));
  EXPECT_EQ(text.take(), "");
  EXPECT_FALSE(text.push(0xb1));
  EXPECT_EQ(text.take(), "花");
  EXPECT_FALSE(text.push(0xe8));
  text.finish();
  EXPECT_EQ(text.take(), "\uFFFD");
  EXPECT_EQ(text.text(), "花\uFFFD");
}

TEST_F(Growing, EndsBeforeAStopStringOverSeveralTokens) {
  const std::vector<std::string> stop = {"\n\n", "END"};
  GrowingText text(tokenizer, true, stop);
  EXPECT_EQ(push(text, "one\ntwo END three"), 11u);
  text.finish();
  EXPECT_EQ(text.text(), "one\ntwo ");
  EXPECT_EQ(shown, "one\ntwo ");
  EXPECT_TRUE(text.push('x'));
  EXPECT_EQ(text.text(), "one\ntwo ");
}

TEST_F(Growing, ShowsNothingThatMayBecomeAStopString) {
  const std::vector<std::string> stop = {"</s>", "<end>"};
  GrowingText text(tokenizer, true, stop);
  push(text, "a</");
  EXPECT_EQ(shown, "a");
  push(text, "b<e");
  EXPECT_EQ(shown, "a</b");
  text.finish();  // the length is reached
  shown += text.take();
  EXPECT_EQ(shown, "a</b<e");
  EXPECT_EQ(text.text(), "a</b<e");
}

TEST_F(Growing, FindsStopStringsInCharactersOfSeveralBytes) {
  const std::vector<std::string> stop = {"。"};
  GrowingText text(tokenizer, true, stop);
  push(text, "春天来了。夏天");
  text.finish();
  EXPECT_EQ(text.text(), "春天来了");
  EXPECT_EQ(shown, "春天来了");
}

TEST_F(Growing, TakesTheEarliestOfSeveralStopStrings) {
  const std::vector<std::string> stop = {"ab", "xab"};
  GrowingText text(tokenizer, true, stop);
  push(text, "1xab");
  EXPECT_EQ(text.text(), "1");
}

}  // namespace
}  // namespace llmctl::test
