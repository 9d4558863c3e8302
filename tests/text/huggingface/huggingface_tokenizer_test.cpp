#include "text/huggingface/huggingface_tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "support/parity_dir.h"
#include "support/temp_dir.h"
#include "text/huggingface/small_tokenizer.h"
#include "text/random_text.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using test::kLetters;
using test::small_tokenizer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal(const std::string& model, const std::string& more = "{}",
                    const std::string& config = "null") {
  try {
    small_tokenizer(model, more, config);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    return error.what();
  }
  ADD_FAILURE() << "accepted " << model << more;
  return "";
}

std::string spans(const Encoding& encoding) {
  std::string text;
  for (const ByteSpan span : encoding.offsets) {
    text += std::to_string(span.begin) + "-" + std::to_string(span.end) + " ";
  }
  return text;
}

TEST(HuggingFaceTokenizer, MergesTheLowestRankFirst) {
  const auto tokenizer = small_tokenizer(kLetters);
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(4));
  EXPECT_THAT(tokenizer->encode("bcab"), ElementsAre(7, 3));
  EXPECT_THAT(tokenizer->encode("aabcc"), ElementsAre(0, 4, 2));
  EXPECT_THAT(tokenizer->encode("axx"), ElementsAre(0, 6, 6));
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
  EXPECT_EQ(spans(tokenizer->encode_with_offsets("ab\u6211c")), "0-2 2-5 5-6 ");
  EXPECT_EQ(tokenizer->vocab_size(), 8);
  EXPECT_EQ(tokenizer->description(), "BPE, 8 tokens");
}

// Up to 48 symbols all pairs are looked at, beyond that there is a heap.
TEST(HuggingFaceTokenizer, LongWordsMergeAsShortOnes) {
  const auto tokenizer = small_tokenizer(kLetters);
  Random random(random_key(1, "letters"));
  for (int round = 0; round < 300; ++round) {
    std::string shorts, word;
    std::vector<TokenId> expected;
    for (int i = 0; i < 12; ++i) {
      // No merge crosses an unknown character.
      std::string part;
      for (std::uint64_t n = random.below(10); n > 0; --n) part += "abc"[random.below(3)];
      part += 'x';
      const auto ids = tokenizer->encode(part);
      expected.insert(expected.end(), ids.begin(), ids.end());
      word += part;
    }
    EXPECT_EQ(tokenizer->encode(word), expected) << word;
  }
}

TEST(HuggingFaceTokenizer, AWordOfTenMegabytes) {
  const auto tokenizer = small_tokenizer(kLetters);
  std::string word;
  while (word.size() < 10'000'000) word += "abcbcaab";
  const auto ids = tokenizer->encode(word);
  EXPECT_EQ(ids.size(), word.size() / 8 * 4);
  EXPECT_EQ(ids[0], 4);
}

TEST(HuggingFaceTokenizer, UnknownCharacters) {
  const std::string plain = R"({"type": "BPE", "vocab": {"a": 0, "?": 1}, "merges": [])";
  EXPECT_THAT(small_tokenizer(plain + "}")->encode("axxa"), ElementsAre(0, 0));
  EXPECT_THAT(small_tokenizer(plain + R"(, "unk_token": "?"})")->encode("axxa"),
              ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(small_tokenizer(plain + R"(, "unk_token": "?", "fuse_unk": true})")->encode("axxa"),
              ElementsAre(0, 1, 0));
  const auto bytes = small_tokenizer(
      R"({"type": "BPE", "byte_fallback": true, "unk_token": "?", "merges": [],
          "vocab": {"a": 0, "<0xC3>": 1, "<0xA9>": 2, "?": 3}})");
  EXPECT_THAT(bytes->encode("a\u00E9\u00E8"), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(spans(bytes->encode_with_offsets("a\u00E9\u00E8")), "0-1 1-3 1-3 3-5 ");
  EXPECT_TRUE(bytes->is_byte(1));
  EXPECT_FALSE(bytes->is_byte(0));
}

TEST(HuggingFaceTokenizer, PrefixAndSuffixOfWords) {
  const auto suffix = small_tokenizer(
      R"({"type": "BPE", "end_of_word_suffix": "</w>",
          "vocab": {"a": 0, "b": 1, "b</w>": 2, "ab</w>": 3, "a</w>": 4},
          "merges": [["a", "b</w>"]]})",
      R"({"pre_tokenizer": {"type": "WhitespaceSplit"}})");
  EXPECT_THAT(suffix->encode("ab aba"), ElementsAre(3, 0, 1, 4));
  const auto prefix = small_tokenizer(
      R"({"type": "BPE", "continuing_subword_prefix": "##",
          "vocab": {"a": 0, "##b": 1, "ab": 2, "##a": 3}, "merges": [["a", "##b"]]})");
  EXPECT_THAT(prefix->encode("aba"), ElementsAre(2, 3));
  EXPECT_TRUE(prefix->begins_word(0));
  EXPECT_FALSE(prefix->begins_word(1));
}

TEST(HuggingFaceTokenizer, WordPieceOfLongWords) {
  const auto tokenizer = small_tokenizer(
      R"({"type": "WordPiece", "unk_token": "[UNK]", "max_input_chars_per_word": 4,
          "vocab": {"[UNK]": 0, "\u6211": 1, "##\u6211": 2, "a": 3}})");
  EXPECT_THAT(tokenizer->encode("\u6211\u6211\u6211\u6211"), ElementsAre(1, 2, 2, 2));
  EXPECT_THAT(tokenizer->encode("\u6211\u6211\u6211\u6211\u6211"), ElementsAre(0));
  EXPECT_THAT(tokenizer->encode("\u6211a"), ElementsAre(0));
  EXPECT_EQ(tokenizer->special().unk, 0);
}

TEST(HuggingFaceTokenizer, UnigramAndWordLevel) {
  const auto unigram = small_tokenizer(
      R"({"type": "Unigram", "unk_id": 0,
          "vocab": [["?", 0], ["a", -2], ["b", -2.5], ["ab", -3], ["abc", -9]]})");
  EXPECT_THAT(unigram->encode("abc"), ElementsAre(4));
  EXPECT_THAT(unigram->encode("abxxa"), ElementsAre(3, 0, 1));
  const auto words = small_tokenizer(
      R"({"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "the": 1, "park": 2}})",
      R"({"pre_tokenizer": {"type": "Whitespace"}})");
  EXPECT_THAT(words->encode("the park, the"), ElementsAre(1, 2, 0, 1));
}

TEST(HuggingFaceTokenizer, AddedTokens) {
  const auto tokenizer = small_tokenizer(kLetters, R"({"added_tokens": [
      {"id": 8, "content": "<left>", "lstrip": true, "normalized": false},
      {"id": 9, "content": "<right>", "rstrip": true, "normalized": false},
      {"id": 10, "content": "cab", "single_word": true, "normalized": false},
      {"id": 11, "content": "<s>", "special": true},
      {"id": 12, "content": "<s>b", "special": false, "normalized": false}]})");
  EXPECT_THAT(tokenizer->encode("a  <left> b"), ElementsAre(0, 8, 5, 1));
  EXPECT_EQ(spans(tokenizer->encode_with_offsets("a  <left> b")), "0-1 1-9 9-10 10-11 ");
  EXPECT_THAT(tokenizer->encode("a <right>  b"), ElementsAre(0, 5, 9, 1));
  EXPECT_THAT(tokenizer->encode("<right> <left>"), ElementsAre(9, 8));
  EXPECT_THAT(tokenizer->encode("cab"), ElementsAre(10));
  EXPECT_THAT(tokenizer->encode("cab cabc"), ElementsAre(10, 5, 2, 4));
  // Special tokens are text unless the caller says otherwise; of two the longer counts.
  EXPECT_THAT(tokenizer->encode("a<s>"), ElementsAre(0, 6, 6, 6));
  EXPECT_THAT(tokenizer->encode("a<s>b"), ElementsAre(0, 12));
  EXPECT_THAT(tokenizer->encode_with_special_pieces("a<s>c").ids, ElementsAre(0, 11, 2));
  EXPECT_THAT(tokenizer->encode_with_special_pieces("a<s>b").ids, ElementsAre(0, 12));
  const std::vector<TokenId> other = {6};
  EXPECT_THAT(tokenizer->encode_with_special_pieces("a<s>c", other).ids,
              ElementsAre(0, 6, 6, 6, 2));
  EXPECT_TRUE(tokenizer->is_special(11));
  EXPECT_FALSE(tokenizer->is_special(8));
}

TEST(HuggingFaceTokenizer, AddedTokensOfNormalizedText) {
  const auto tokenizer = small_tokenizer(kLetters, R"({"normalizer": {"type": "Lowercase"},
      "added_tokens": [{"id": 8, "content": "BB", "normalized": true},
                       {"id": 9, "content": "CC", "normalized": false}]})");
  EXPECT_THAT(tokenizer->encode("Abbc"), ElementsAre(0, 8, 2));
  EXPECT_THAT(tokenizer->encode("aCCc"), ElementsAre(0, 9, 2));
  EXPECT_THAT(tokenizer->encode("accc"), ElementsAre(0, 2, 2, 2));
  EXPECT_EQ(spans(tokenizer->encode_with_offsets("ABBC")), "0-1 1-3 3-4 ");
}

TEST(HuggingFaceTokenizer, Refusals) {
  EXPECT_THAT(refusal(R"({"type": "Sparse", "vocab": {}})"),
              HasSubstr("tokenizer.json: model: model \"Sparse\" is not supported, supported are"));
  EXPECT_THAT(refusal(kLetters, R"({"normalizer": {"type": "Bold"}})"),
              HasSubstr("normalizer: normalizer \"Bold\" is not supported"));
  EXPECT_THAT(refusal(kLetters, R"({"normalizer": {"type": "Sequence", "normalizers":
                  [{"type": "NFC"}, {"type": "Bold"}]}})"),
              HasSubstr("normalizer.normalizers[1]: normalizer \"Bold\""));
  EXPECT_THAT(refusal(kLetters, R"({"pre_tokenizer": {"type": "UnicodeScripts"}})"),
              HasSubstr("pre-tokenizer \"UnicodeScripts\""));
  EXPECT_THAT(refusal(kLetters, R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers":
                  [{"type": "ByteLevel"}, {"type": "Digits"}]}})"),
              HasSubstr("as the last step only"));
  EXPECT_THAT(refusal(kLetters, R"({"decoder": {"type": "CTC"}})"), HasSubstr("decoder \"CTC\""));
  EXPECT_THAT(refusal(kLetters, R"({"post_processor": {"type": "Mystery"}})"),
              HasSubstr("post-processor \"Mystery\""));
  EXPECT_THAT(refusal(R"({"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []})"),
              HasSubstr("model.dropout"));
  EXPECT_THAT(refusal(kLetters, "{}", R"({"bos_token": "<s>"})"),
              HasSubstr("bos_token \"<s>\" of tokenizer_config.json is not in the vocabulary"));
  EXPECT_THAT(refusal(kLetters, R"({"added_tokens": [{"id": 0, "content": "<x>"}]})"),
              HasSubstr("added_tokens[0]: \"<x>\" has the id 0, but that is \"a\""));
  EXPECT_THAT(refusal(kLetters, R"({"added_tokens": [{"id": 9, "content": "a"}]})"),
              HasSubstr("\"a\" has the id 9, but the vocabulary gives it 0"));
}

TEST(HuggingFaceTokenizer, ExpressionsWithoutEndAreStopped) {
  const auto tokenizer = small_tokenizer(
      kLetters, R"json({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+a+)+(b|c)"},
                    "behavior": "Isolated", "invert": false}})json");
  ;
  EXPECT_THAT(tokenizer->encode("aab"), ElementsAre(0, 3));
  try {
    tokenizer->encode(std::string(200, 'a'));
    ADD_FAILURE() << "no end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_THAT(error.what(), HasSubstr("(a+a+)+(b|c)"));
  }
}

TEST(HuggingFaceTokenizer, TextThatIsNone) {
  const auto tokenizer = small_tokenizer(kLetters);
  EXPECT_THROW(tokenizer->encode("a\xFF"), Error);
  EXPECT_THROW(tokenizer->decode(std::vector<TokenId>{8}), Error);
  EXPECT_THROW(tokenizer->piece(-1), Error);
}

TEST(HuggingFaceTokenizer, IdsThatNoTokenHas) {
  const auto tokenizer =
      small_tokenizer(R"({"type": "BPE", "vocab": {"a": 0, "b": 3}, "merges": []})",
                      R"({"decoder": {"type": "Fuse"}})");
  EXPECT_EQ(tokenizer->vocab_size(), 4);
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{0, 1, 3}), "ab");
}

TEST(HuggingFaceTokenizer, SpecialTokensByNameOrConfiguration) {
  const std::string added = R"({"added_tokens": [{"id": 8, "content": "<s>", "special": true},
      {"id": 9, "content": "</s>", "special": true}, {"id": 10, "content": "<end>"}]})";
  const auto named = small_tokenizer(kLetters, added);
  EXPECT_EQ(named->special().bos, 8);
  EXPECT_EQ(named->special().eos, 9);
  EXPECT_EQ(named->special().unk, 6);
  EXPECT_FALSE(named->is_special(6));
  const auto configured =
      small_tokenizer(kLetters, added, R"({"eos_token": {"content": "<end>"}})");
  EXPECT_EQ(configured->special().bos, std::nullopt);
  EXPECT_EQ(configured->special().eos, 10);
  EXPECT_TRUE(configured->is_special(10));
}

TEST(HuggingFaceTokenizer, FingerprintIsOfWhatDecidesIds) {
  const auto print = [](const std::string& model, const std::string& more) {
    return small_tokenizer(model, more)->fingerprint();
  };
  const std::string one = print(kLetters, "{}");
  EXPECT_EQ(print(kLetters, R"({"padding": null})"), one);
  EXPECT_NE(print(kLetters, R"({"normalizer": {"type": "NFC"}})"), one);
}

TEST(HuggingFaceTokenizer, BatchesAreTextsOneByOne) {
  const auto tokenizer = small_tokenizer(kLetters);
  const std::vector<std::string> texts = {"abc", "", "bcab", "a"};
  const auto batch = tokenizer->encode_batch(texts);
  ASSERT_EQ(batch.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(batch[i], tokenizer->encode(texts[i]));
}

/// Copies a directory's files but `without`.
std::filesystem::path copy_without(const std::filesystem::path& from, const test::TempDir& to,
                                   const std::string& without) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (entry.path().filename() == without) continue;
    write_file(to / entry.path().filename(), read_file(entry.path()));
  }
  return to.path();
}

void expect_equal(const Tokenizer& a, const Tokenizer& b, std::size_t texts) {
  Random random(random_key(3, "texts"));
  for (std::size_t i = 0; i < texts; ++i) {
    const std::string text = test::random_text(random, 1 + random.below(20));
    EXPECT_EQ(a.encode(text), b.encode(text)) << text;
    const Encoding both = a.encode_with_special_pieces(text);
    EXPECT_EQ(both.ids, b.encode_with_special_pieces(text).ids) << text;
    EXPECT_EQ(a.decode(both.ids, true), b.decode(both.ids, true));
    EXPECT_EQ(a.with_special(both.ids), b.with_special(both.ids));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(HuggingFaceTokenizer, OlderFilesSayTheSame) {
  std::size_t cases = 0;
  for (const auto& directory : test::parity_cases("tokenizers")) {
    if (!std::filesystem::exists(directory / "vocab.txt") &&
        !std::filesystem::exists(directory / "vocab.json")) {
      continue;
    }
    SCOPED_TRACE(directory.filename().string());
    ++cases;
    const test::TempDir older;
    expect_equal(*load_tokenizer(directory),
                 *load_tokenizer(copy_without(directory, older, "tokenizer.json")), 500);
  }
  if (cases == 0) LLMCTL_NEEDS_PARITY("tokenizers/wordpiece_uncased");
}

TEST(HuggingFaceTokenizer, SavedAgainItIsTheSame) {
  std::size_t cases = 0;
  for (const auto& directory : test::parity_cases("tokenizers")) {
    if (std::filesystem::exists(directory / "tokenizer.model")) continue;
    SCOPED_TRACE(directory.filename().string());
    ++cases;
    const auto tokenizer = load_tokenizer(directory);
    const test::TempDir saved, older;
    tokenizer->save(saved.path(), 512);
    EXPECT_EQ(load_tokenizer(saved.path())->fingerprint(), tokenizer->fingerprint());
    for (const char* file : {"vocab.txt", "vocab.json", "merges.txt"}) {
      EXPECT_EQ(std::filesystem::exists(saved / file), std::filesystem::exists(directory / file))
          << file;
    }
    if (!std::filesystem::exists(directory / "vocab.txt") &&
        !std::filesystem::exists(directory / "vocab.json")) {
      continue;
    }
    expect_equal(*tokenizer, *load_tokenizer(copy_without(saved.path(), older, "tokenizer.json")),
                 100);
  }
  if (cases == 0) LLMCTL_NEEDS_PARITY("tokenizers/wordpiece_uncased");
}

// The tokenizer.json beside our SentencePiece models, read back by itself.
TEST(HuggingFaceTokenizer, WhatSentencePieceModelsAreWrittenAs) {
  for (const char* type : {"bpe", "char"}) {
    SCOPED_TRACE(type);
    const test::TempDir directory, older;
    const auto trained = test::trained_tokenizer("causal", type);
    trained->save(directory.path(), 0);
    const auto other = load_tokenizer(copy_without(directory.path(), older, "tokenizer.model"));
    Random random(random_key(5, "texts"));
    for (int i = 0; i < 500; ++i) {
      std::string text = test::random_text(random, 1 + random.below(20));
      // Names of special tokens are found in tokenizer.json, but not in SentencePiece.
      if (text.find('<') != text.npos || text.find('[') != text.npos) continue;
      const auto ids = trained->encode(text);
      ASSERT_EQ(other->encode(text), ids) << text;
      // SentencePiece decodes an unknown piece, and tokenizer.json leaves it out.
      if (trained->special().unk &&
          std::find(ids.begin(), ids.end(), *trained->special().unk) == ids.end()) {
        EXPECT_EQ(other->decode(ids), trained->decode(ids));
      }
    }
  }
}

}  // namespace
}  // namespace llmctl
