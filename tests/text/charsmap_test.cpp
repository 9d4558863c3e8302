#include "text/charsmap.h"

#include <gmock/gmock.h>

#include <cstdint>

#include "base/error.h"
#include "base/random.h"
#include "text/random_text.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using testing::HasSubstr;

/// SentencePiece's own table for NFKC, by way of a model trained with it.
const std::string& nfkc_bytes() {
  static const std::string kBytes = [] {
    const test::TempDir directory;
    TokenizerTrainConfig config;
    config.model_type = "char";
    config.normalization = "nfkc";
    train_tokenizer(config, test::reader_of({"abc"}), directory / "t");
    return load_sentencepiece_model(directory / "t/tokenizer.model").charsmap_bytes;
  }();
  return kBytes;
}

std::string refusal(const std::string& bytes) {
  try {
    const Charsmap map(bytes, "map");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

/// Bytes of a table from units and replacements.
std::string table(const std::vector<std::uint32_t>& units, std::string_view texts) {
  std::string bytes;
  const auto put = [&](std::uint32_t number) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(number >> (8 * i));
  };
  put(static_cast<std::uint32_t>(4 * units.size()));
  for (const std::uint32_t number : units) put(number);
  return bytes + std::string(texts);
}

/// A unit of darts-clone: label, whether a key ends there, offset to the children.
std::uint32_t unit(std::uint32_t offset, unsigned char label = 0, bool leaf = false) {
  return offset << 10 | (leaf ? 1u << 8 : 0u) | label;
}
std::uint32_t value(std::uint32_t v) {
  return v | 0x80000000u;
}

/// "a" → "xy", "ab" → "z".
std::vector<std::uint32_t> two_keys() {
  std::vector<std::uint32_t> units(1024, 0);
  units[0] = unit(256);                                   // children of the root at 256 ^ c
  units[256 ^ 'a'] = unit((256 ^ 'a') ^ 512, 'a', true);  // its children at 512 ^ c
  units[512] = value(0);
  units[512 ^ 'b'] = unit((512 ^ 'b') ^ 768, 'b', true);
  units[768] = value(3);
  return units;
}
constexpr std::string_view kTexts("xy\0z\0", 5);

TEST(Charsmap, EmptyReplacesNothing) {
  EXPECT_TRUE(Charsmap().empty());
  EXPECT_TRUE(Charsmap("", "map").empty());
  EXPECT_FALSE(Charsmap().longest_match("abc").has_value());
}

TEST(Charsmap, TakesTheLongestKey) {
  const Charsmap map(table(two_keys(), kTexts), "map");
  EXPECT_EQ(map.longest_match("a")->length, 1u);
  EXPECT_EQ(map.longest_match("a")->replacement, "xy");
  EXPECT_EQ(map.longest_match("ac")->replacement, "xy");
  EXPECT_EQ(map.longest_match("abc")->length, 2u);
  EXPECT_EQ(map.longest_match("abc")->replacement, "z");
  EXPECT_FALSE(map.longest_match("b").has_value());
  EXPECT_FALSE(map.longest_match("").has_value());
  EXPECT_FALSE(map.longest_match(std::string_view("\0a", 2)).has_value());
  EXPECT_EQ(map.longest_match(std::string_view("a\0", 2))->length, 1u);
}

TEST(Charsmap, ReadsTheLibrarysTable) {
  const Charsmap map(nfkc_bytes(), "map");
  const auto replacement = [&](std::string_view text) {
    const auto match = map.longest_match(text);
    return match ? std::string(match->replacement) : std::string("none");
  };
  EXPECT_EQ(replacement("Ａ"), "A");
  EXPECT_EQ(replacement("ﬁ"), "fi");
  EXPECT_EQ(replacement("①"), "1");
  EXPECT_EQ(replacement("　"), " ");
  EXPECT_EQ(replacement("e\u0301"), "é");
  EXPECT_EQ(replacement("é"), "none");
  EXPECT_EQ(replacement("a"), "none");
  EXPECT_EQ(replacement("我"), "none");
}

TEST(Charsmap, RefusesTablesThatLeadOutside) {
  const std::vector<std::uint32_t> good = two_keys();
  EXPECT_THAT(refusal("abc"), HasSubstr("map: only 3 bytes"));
  EXPECT_THAT(refusal(table({}, kTexts)), HasSubstr("its trie has a size of 0 bytes"));
  EXPECT_THAT(refusal(std::string("\x06\0\0\0abcdefg\0", 12)), HasSubstr("size of 6 bytes"));
  EXPECT_THAT(refusal(std::string("\xFF\xFF\xFF\x7F abc", 8)),
              HasSubstr("its trie takes 2147483647"));
  EXPECT_THAT(refusal(table(good, "")), HasSubstr("its last replacement has no end"));
  EXPECT_THAT(refusal(table(good, "xy")), HasSubstr("its last replacement has no end"));
  EXPECT_THAT(refusal(std::string((8u << 20) + 1, 'x')), HasSubstr("at most 8388608"));

  auto units = good;
  units[0] = unit(1024);
  EXPECT_THAT(refusal(table(units, kTexts)), HasSubstr("unit 0 of its trie points outside"));
  units = good;
  units[0] |= 0x80000000u;  // even where it looks like a value the root's children are followed
  units[0] = (units[0] & ~0x7FFFFC00u) | (4096u << 10);
  EXPECT_THAT(refusal(table(units, kTexts)), HasSubstr("unit 0 of its trie points outside"));
  units = good;
  units[700] = unit(0x1FFFFF, 'q');
  EXPECT_THAT(refusal(table(units, kTexts)), HasSubstr("unit 700 of its trie points outside"));
  units = good;
  units[768] = value(5);
  EXPECT_THAT(refusal(table(units, kTexts)), HasSubstr("names byte 5 of 5 bytes"));
  EXPECT_THAT(refusal(table(good, std::string(2000, 'x') + '\0')), HasSubstr("longer than 1000"));
  EXPECT_THAT(refusal(table(good, std::string_view("\xFFy\0z\0", 5))), HasSubstr("is not UTF-8"));
}

TEST(Charsmap, RefusesKeysWithoutEnd) {
  auto units = two_keys();
  units[512 ^ 'b'] = unit((512 ^ 'b') ^ 256, 'b');  // back to the root's children
  EXPECT_THAT(refusal(table(units, kTexts)), HasSubstr("does not end"));
}

// Any change of a table is refused or leaves one that stays within itself (seen by the sanitizers).
TEST(Charsmap, SurvivesMutations) {
  const std::string good = table(two_keys(), kTexts);
  Random random(random_key(3, "charsmap"));
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good;
    for (int n = 0; n < 3; ++n) {
      // Mostly where something stands.
      const std::size_t spot = random.below(4) == 0 ? random.below(1024)
                                                    : (std::size_t[]){0, 256 ^ 'a', 512, 512 ^ 'b',
                                                                      768}[random.below(5)];
      bytes[4 + 4 * spot + random.below(4)] = static_cast<char>(random.below(256));
    }
    try {
      const Charsmap map(bytes, "map");
      for (int k = 0; k < 3; ++k) {
        const std::string text =
            "a" + std::string(random.below(3), 'b') + test::random_text(random, 5);
        const auto match = map.longest_match(text);
        if (match) EXPECT_LE(match->length, text.size());
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
    }
  }
}

}  // namespace
}  // namespace llmctl
