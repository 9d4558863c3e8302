#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace llmctl {
namespace {

using namespace std::string_literals;

struct Malformed {
  std::string bytes;
  std::size_t at;
};

TEST(Utf8, MalformedBytesAreFoundAtTheFirst) {
  const std::vector<Malformed> table = {Malformed{"\x80", 0},
                                        Malformed{"a\xBF", 1},
                                        Malformed{"\xC0\x80", 0},
                                        Malformed{"\xC1\xBF", 0},
                                        Malformed{"\xE0\x9F\xBF", 0},
                                        Malformed{"\xED\xA0\x80", 0},
                                        Malformed{"\xED\xBF\xBF", 0},
                                        Malformed{"\xF0\x8F\xBF\xBF", 0},
                                        Malformed{"\xF4\x90\x80\x80", 0},
                                        Malformed{"\xF5\x80\x80\x80", 0},
                                        Malformed{"\xFE", 0},
                                        Malformed{"\xFF", 0},
                                        Malformed{"中\xE4\xB8", 3},
                                        Malformed{"12345678\xC3", 8},
                                        Malformed{"abc\xE4\xB8x", 3},
                                        Malformed{"\xF0\x9F\x98", 0},
                                        Malformed{"123456789012345\x80", 15},
                                        Malformed{"\xC3(", 0}};
  for (const auto& [bytes, at] : table) {
    EXPECT_EQ(find_invalid_utf8(bytes), at) << bytes;
    const std::string repaired = replace_invalid_utf8(bytes);
    EXPECT_EQ(find_invalid_utf8(repaired), std::nullopt) << bytes;
    EXPECT_EQ(repaired.substr(0, at), bytes.substr(0, at));
  }
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code_point);
    ASSERT_EQ(find_invalid_utf8(text), std::nullopt) << static_cast<unsigned>(code_point);
    std::size_t offset = 0;
    ASSERT_EQ(next_code_point(text, offset), code_point);
    ASSERT_EQ(offset, text.size());
    const std::size_t length = code_point < 0x80      ? 1
                               : code_point < 0x800   ? 2
                               : code_point < 0x10000 ? 3
                                                      : 4;
    ASSERT_EQ(text.size(), length);
  }
}

TEST(Utf8, WalksAndCounts) {
  const std::string text = "a中é😀";
  EXPECT_EQ(find_invalid_utf8(text), std::nullopt);
  EXPECT_EQ(code_points(text), (std::vector<char32_t>{'a', U'中', U'é', U'😀'}));
  EXPECT_EQ(count_code_points(text), 4u);
  EXPECT_EQ(code_point_offsets(text), (std::vector<std::size_t>{0, 1, 4, 6, 10}));
  EXPECT_EQ(code_points(""), std::vector<char32_t>{});
  EXPECT_EQ(count_code_points(""), 0u);
  EXPECT_EQ(code_point_offsets(""), (std::vector<std::size_t>{0}));
  EXPECT_EQ(find_invalid_utf8("nul \0 is text"s), std::nullopt);
}

TEST(Utf8, CompletePrefixNeverEndsInsideACharacter) {
  const std::string text = "a中é😀";
  const std::vector<std::size_t> expected = {0, 1, 1, 1, 4, 4, 6, 6, 6, 6, 10};
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(complete_utf8_prefix(text.substr(0, size)), expected[size]) << size;
  }
  // What can become no character any more is not waited for.
  EXPECT_EQ(complete_utf8_prefix("a\x80"), 2u);
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2u);
  EXPECT_EQ(complete_utf8_prefix("a\xE0\x80"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x98\x80\x80"), 6u);
  EXPECT_EQ(complete_utf8_prefix("\x80\x80\x80\x80"), 4u);
}

TEST(Utf8, ReplacesEachInvalidByte) {
  EXPECT_EQ(replace_invalid_utf8("a\x80\xFFz"), "a\uFFFD\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xE4\xB8"), "\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("中文"), "中文");
  EXPECT_EQ(replace_invalid_utf8(""), "");
}

TEST(Utf8, RandomBytesAreRepairedOnceAndForAll) {
  Random random(random_key(1, "utf8 test"));
  for (int trial = 0; trial < 3000; ++trial) {
    std::string bytes;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      // Lead and continuation bytes more often than chance would have them.
      const char kinds[] = {'a',    '\xE4', '\xB8', '\xAD',
                            '\xF0', '\x9F', '\xC3', static_cast<char>(random.below(256))};
      bytes += kinds[random.below(8)];
    }
    const std::string repaired = replace_invalid_utf8(bytes);
    ASSERT_EQ(find_invalid_utf8(repaired), std::nullopt);
    ASSERT_EQ(replace_invalid_utf8(repaired), repaired);
    if (!find_invalid_utf8(bytes)) ASSERT_EQ(repaired, bytes);
    const auto offsets = code_point_offsets(repaired);
    ASSERT_EQ(offsets.size(), count_code_points(repaired) + 1);
    std::string again;
    for (const char32_t code_point : code_points(repaired)) append_utf8(again, code_point);
    ASSERT_EQ(again, repaired);
    const std::size_t prefix = complete_utf8_prefix(bytes);
    ASSERT_LE(prefix, bytes.size());
    ASSERT_GE(prefix + 3, bytes.size());
  }
}

TEST(Utf8, DisplayWidthCountsColumns) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("中文，"), 6u);
  EXPECT_EQ(display_width("한글カナ"), 8u);
  EXPECT_EQ(display_width("e\u0301"), 1u);   // combining acute
  EXPECT_EQ(display_width("a\u200Bb"), 2u);  // zero width space
  EXPECT_EQ(display_width("ＡＢ"), 4u);      // full-width forms
  EXPECT_EQ(display_width("😀"), 2u);
  EXPECT_EQ(display_width("é"), 1u);
  EXPECT_EQ(display_width("a\n"), 1u);
  EXPECT_EQ(display_width("\xFF\x80"), 2u);  // shown as replacement characters
}

TEST(Utf8, KnowsCjkIdeographs) {
  for (const char32_t yes : {U'中', U'㐀', U'\U00020000', U'\U0002A700', U'\U0002CEB0', U'豈',
                             U'\U0002F800', U'\U00030000', U'\u9FFF'}) {
    EXPECT_TRUE(is_cjk(yes)) << static_cast<unsigned>(yes);
  }
  for (const char32_t no : {U'a', U'あ', U'カ', U'한', U'。', U'，', U'Ａ', U'\u4DC0', U'\uA000'}) {
    EXPECT_FALSE(is_cjk(no)) << static_cast<unsigned>(no);
  }
}

}  // namespace
}  // namespace llmctl
