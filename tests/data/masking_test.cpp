#include "data/masking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/batch.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;

/// Pieces as given: "▁x" begins a word, "[X]" is special, other pieces continue.
class PieceTokenizer : public ByteTokenizer {
 public:
  explicit PieceTokenizer(std::vector<std::string> pieces)
      : ByteTokenizer(Kind::kMasked), pieces_(std::move(pieces)) {}
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(pieces_.size()); }
  std::string token_bytes(TokenId id) const override {
    const std::string& piece = pieces_[static_cast<std::size_t>(id)];
    return piece.starts_with("▁") ? " " + piece.substr(std::string("▁").size()) : piece;
  }
  bool is_special(TokenId id) const override {
    return pieces_[static_cast<std::size_t>(id)].starts_with('[');
  }
  bool begins_word(TokenId id) const override {
    return pieces_[static_cast<std::size_t>(id)].starts_with("▁");
  }

 private:
  std::vector<std::string> pieces_;
};

struct Masked {
  std::vector<std::int64_t> ids, labels;
};

Masked mask(const Masker& masker, std::vector<std::int64_t> ids, std::uint64_t row) {
  Masked result{std::move(ids), {}};
  result.labels.resize(result.ids.size());
  const std::size_t chosen =
      masker.apply(random_key(1, "masking", 0, row), result.ids, result.labels);
  EXPECT_EQ(chosen,
            result.labels.size() - static_cast<std::size_t>(std::count(
                                       result.labels.begin(), result.labels.end(), kIgnoreLabel)));
  return result;
}

/// |count - n p| within 4.5 standard deviations of a binomial draw.
void expect_share(double count, double n, double p) {
  EXPECT_LE(std::abs(count - n * p), 4.5 * std::sqrt(n * p * (1 - p)))
      << count << " of " << n << ", expected a share of " << p;
}

const std::int64_t kCls = 258, kSep = 259, kMask = 260, kVocab = 261;

TEST(Masking, SharesAreThoseAskedFor) {
  const ByteTokenizer tokenizer(ByteTokenizer::Kind::kMasked);
  for (const MaskingOptions& options :
       {MaskingOptions{},
        MaskingOptions{.probability = 0.4, .mask_share = 0.5, .random_share = 0.3}}) {
    const Masker masker(tokenizer, options);
    double candidates = 0, chosen = 0, masked = 0, kept = 0;
    for (std::uint64_t row = 0; row < 800; ++row) {
      std::vector<std::int64_t> ids{kCls};
      for (std::int64_t i = 0; i < 100; ++i) ids.push_back('a' + i % 26);
      ids.push_back(kSep);
      const Masked result = mask(masker, ids, row);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const bool special = ids[i] >= 256;
        candidates += special ? 0 : 1;
        if (result.labels[i] == kIgnoreLabel) {
          ASSERT_EQ(result.ids[i], ids[i]);
          continue;
        }
        ASSERT_FALSE(special);
        ASSERT_EQ(result.labels[i], ids[i]);
        chosen += 1;
        masked += result.ids[i] == kMask ? 1 : 0;
        kept += result.ids[i] == ids[i] ? 1 : 0;
      }
    }
    expect_share(chosen, candidates, options.probability);
    // A random token is sometimes the mask or the token itself.
    expect_share(masked, chosen, options.mask_share + options.random_share / kVocab);
    expect_share(kept, chosen,
                 1 - options.mask_share - options.random_share + options.random_share / kVocab);
  }
}

TEST(Masking, IsAFunctionOfTheKey) {
  const Masker masker(ByteTokenizer(ByteTokenizer::Kind::kMasked), {});
  const std::vector<std::int64_t> ids(200, 'x');
  const Masked once = mask(masker, ids, 3), again = mask(masker, ids, 3);
  EXPECT_EQ(once.ids, again.ids);
  EXPECT_EQ(once.labels, again.labels);
  EXPECT_NE(once.labels, mask(masker, ids, 4).labels);
}

TEST(Masking, ARowGetsAtLeastOneMaskWherePossible) {
  for (const bool whole_word : {false, true}) {
    const Masker masker(ByteTokenizer(ByteTokenizer::Kind::kMasked), {.whole_word = whole_word});
    for (std::uint64_t row = 0; row < 50; ++row) {
      const Masked result = mask(masker, {kCls, 'a', kSep}, row);
      EXPECT_EQ(result.labels, (std::vector<std::int64_t>{kIgnoreLabel, 'a', kIgnoreLabel}));
      const Masked nothing = mask(masker, {kCls, kSep}, row);
      EXPECT_EQ(nothing.ids, (std::vector<std::int64_t>{kCls, kSep}));
    }
  }
}

TEST(Masking, EveryTokenIsMaskedEquallyOften) {
  const Masker masker(ByteTokenizer(ByteTokenizer::Kind::kMasked), {.probability = 0.02});
  std::vector<double> times(10);
  for (std::uint64_t row = 0; row < 20'000; ++row) {
    const Masked result = mask(masker, std::vector<std::int64_t>(10, 'x'), row);
    for (std::size_t i = 0; i < 10; ++i) times[i] += result.labels[i] == kIgnoreLabel ? 0 : 1;
  }
  double total = 0;
  for (const double count : times) total += count;
  for (const double count : times) expect_share(count, total, 0.1);
}

TEST(WholeWords, GroupsFollowThePieces) {
  const PieceTokenizer tokenizer(
      {"[CLS]", "[SEP]", "▁play", "ing", "▁", "x", "今天", "我", "▁天", ",", "A"});
  const Masker masker(tokenizer, {.whole_word = true});
  using Groups = std::vector<std::vector<std::size_t>>;
  // [CLS] ▁play ing , ▁ x [SEP]
  EXPECT_EQ(masker.word_groups(std::vector<std::int64_t>{0, 2, 3, 9, 4, 5, 1}),
            (Groups{{1, 2, 3}, {4, 5}}));
  // ing ▁play 今天 我 , A ▁天 x
  EXPECT_EQ(masker.word_groups(std::vector<std::int64_t>{3, 2, 6, 7, 9, 10, 8, 5}),
            (Groups{{0}, {1}, {2}, {3}, {4, 5}, {6}, {7}}));
  // play [SEP] ing
  EXPECT_EQ(masker.word_groups(std::vector<std::int64_t>{2, 1, 3}), (Groups{{0}, {2}}));
  EXPECT_TRUE(masker.word_groups({}).empty());
}

TEST(WholeWords, ChineseWordsAreCutWhereAsked) {
  const PieceTokenizer tokenizer({"[CLS]", "▁学", "习", "机器", "人", "▁play", "ing", ","});
  std::vector<std::string> texts;
  const Masker masker(tokenizer, {.whole_word = true, .chinese_words = [&](std::string_view text) {
                                    texts.emplace_back(text);
                                    // Two characters of three bytes each to a word, from the left.
                                    std::vector<ByteSpan> words;
                                    for (std::size_t i = 0; i < text.size(); i += 6) {
                                      if (text[i] == ' ') ++i;
                                      words.push_back({i, std::min(i + 6, text.size())});
                                    }
                                    return words;
                                  }});
  using Groups = std::vector<std::vector<std::size_t>>;
  // [CLS] 学习 机器 人 ▁play ing 人 人 人
  EXPECT_EQ(masker.word_groups(std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 4, 4, 4}),
            (Groups{{1, 2}, {3}, {4}, {5, 6}, {7, 8}, {9}}));
  // 人 机器 , 习 ing: a token belongs to the word where it begins
  EXPECT_EQ(masker.word_groups(std::vector<std::int64_t>{4, 3, 7, 2, 6}),
            (Groups{{0, 1}, {2}, {3}, {4}}));
  EXPECT_EQ(texts, (std::vector<std::string>{" 学习机器人", "人人人", "人机器", "习"}));
}

TEST(WholeWords, TokensOutsideOfWordsAreGroupsOfTheirOwn) {
  using Groups = std::vector<std::vector<std::size_t>>;
  const std::vector<ByteSpan> tokens{{0, 2}, {2, 3}, {3, 5}, {5, 7}, {7, 8}, {8, 9}};
  EXPECT_EQ(groups_of_words(tokens, std::vector<ByteSpan>{{0, 3}, {4, 8}}),
            (Groups{{0, 1}, {2}, {3, 4}, {5}}));
  EXPECT_EQ(groups_of_words(tokens, {}), (Groups{{0}, {1}, {2}, {3}, {4}, {5}}));
}

TEST(WholeWords, AWordIsMaskedWholeAndTheShareIsKept) {
  const Masker masker(ByteTokenizer(ByteTokenizer::Kind::kMasked), {.whole_word = true});
  const std::string text = "a few words of different lengths, some long, some very short: it is so";
  std::vector<std::int64_t> ids{kCls};
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  ids.push_back(kSep);
  const auto groups = masker.word_groups(ids);
  const double limit = std::round(0.15 * static_cast<double>(text.size()));
  double total = 0;
  std::vector<bool> ever(groups.size());
  for (std::uint64_t row = 0; row < 500; ++row) {
    const Masked result = mask(masker, ids, row);
    EXPECT_EQ(result.labels.front(), kIgnoreLabel);
    EXPECT_EQ(result.labels.back(), kIgnoreLabel);
    double chosen = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const bool first = result.labels[groups[g][0]] != kIgnoreLabel;
      for (const std::size_t i : groups[g]) ASSERT_EQ(result.labels[i] != kIgnoreLabel, first);
      if (first) chosen += static_cast<double>(groups[g].size());
      if (first) ever[g] = true;
    }
    ASSERT_LE(chosen, limit);
    total += chosen;
  }
  EXPECT_GT(total / 500 / static_cast<double>(text.size()), 0.12);
  EXPECT_EQ(std::count(ever.begin(), ever.end(), false), 0);
}

TEST(Masking, NeedsAMaskTokenAndKnownIds) {
  expect_error(ErrorCode::kConfig, {"no mask token", "--recipe masked"},
               [] { Masker(ByteTokenizer(ByteTokenizer::Kind::kCausal), {}); });
  const Masker masker(ByteTokenizer(ByteTokenizer::Kind::kMasked), {});
  std::vector<std::int64_t> ids{261}, labels(1);
  expect_error(ErrorCode::kData, {"token 261", "261"},
               [&] { masker.apply(random_key(1, "x"), ids, labels); });
}

}  // namespace
}  // namespace llmctl
