#include "text/segmenter.h"

#include <gmock/gmock.h>

#include <map>

#include "base/random.h"
#include "text/model_builder.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using testing::ElementsAre;
using Kind = SentencePieceModel::Kind;
using Type = SentencePieceModel::PieceType;

/// The text cut as the model cuts it; unknown parts in brackets. Checks that nothing is lost.
std::vector<std::string> cut(const SentencePieceModel& model, std::string_view text) {
  std::vector<Segment> segments;
  make_segmenter(model)->segment(text, segments);
  std::vector<std::string> parts;
  std::size_t at = 0;
  for (const Segment& segment : segments) {
    EXPECT_EQ(segment.begin, at);
    EXPECT_LT(segment.begin, segment.end);
    at = segment.end;
    std::string part(text.substr(segment.begin, segment.end - segment.begin));
    if (segment.id == model.unknown) {
      part = "[" + part + "]";
    } else {
      EXPECT_EQ(model.pieces.at(static_cast<std::size_t>(segment.id)).text, part);
    }
    parts.push_back(part);
  }
  EXPECT_EQ(at, text.size());
  return parts;
}

ModelBuilder bpe() {
  return ModelBuilder().specials().kind(Kind::kBpe);
}

TEST(BpeSegmenter, MergesTheBestPairFirst) {
  const SentencePieceModel model = bpe()
                                       .piece("ab", 0)
                                       .piece("bc", -1)
                                       .piece("abc", -2)
                                       .piece("a", -10)
                                       .piece("b", -11)
                                       .piece("c", -12)
                                       .build();
  EXPECT_THAT(cut(model, "abc"), ElementsAre("abc"));
  EXPECT_THAT(cut(model, "bcab"), ElementsAre("bc", "ab"));
  EXPECT_THAT(cut(model, "abcbc"), ElementsAre("abc", "bc"));
  EXPECT_THAT(cut(model, ""), ElementsAre());
  EXPECT_THAT(cut(model, "axb"), ElementsAre("a", "[x]", "b"));
}

TEST(BpeSegmenter, LeftmostOfEqualsFirst) {
  const SentencePieceModel model = bpe().piece("aa", 0).piece("a", -1).build();
  EXPECT_THAT(cut(model, "aaa"), ElementsAre("aa", "a"));
  EXPECT_THAT(cut(model, "aaaaa"), ElementsAre("aa", "aa", "a"));
}

TEST(BpeSegmenter, UserDefinedPiecesStayWholeAndApart) {
  const SentencePieceModel model = bpe()
                                       .piece("<|x|>", 0, Type::kUser)
                                       .piece("<|x", 0, Type::kUser)
                                       .piece("a<", -1)
                                       .piece(">b", -2)
                                       .piece("a", -3)
                                       .piece("b", -4)
                                       .build();
  EXPECT_THAT(cut(model, "a<|x|>b"), ElementsAre("a", "<|x|>", "b"));
  EXPECT_THAT(cut(model, "a<|xb"), ElementsAre("a", "<|x", "b"));
  EXPECT_THAT(cut(model, "a<b"), ElementsAre("a<", "b"));
}

TEST(BpeSegmenter, UnusedPiecesServeForMergingOnly) {
  const SentencePieceModel model = bpe()
                                       .piece("ab", 0, Type::kUnused)
                                       .piece("abc", -1)
                                       .piece("a", -2)
                                       .piece("b", -3)
                                       .piece("c", -4)
                                       .piece("xy", -5, Type::kUnused)
                                       .build();
  EXPECT_THAT(cut(model, "abc"), ElementsAre("abc"));
  EXPECT_THAT(cut(model, "abb"), ElementsAre("a", "b", "b"));
  EXPECT_THAT(cut(model, "xy"), ElementsAre("[x]", "[y]"));
}

TEST(BpeSegmenter, ControlAndBytePiecesNeverMatch) {
  const SentencePieceModel model = ModelBuilder()
                                       .specials()
                                       .bytes()
                                       .kind(Kind::kBpe)
                                       .piece("s", 0)
                                       .piece("<s", -1)
                                       .piece("x", -2, Type::kControl)
                                       .build();
  EXPECT_THAT(cut(model, "<s>"), ElementsAre("<s", "[>]"));
  EXPECT_THAT(cut(model, "x"), ElementsAre("[x]"));
}

/// Merging as it is defined: the best pair of all, again and again.
std::vector<std::string> merge_naively(const SentencePieceModel& model, std::string_view text) {
  std::map<std::string, float> scores;
  for (const auto& piece : model.pieces) {
    if (piece.type == Type::kNormal) scores[piece.text] = piece.score;
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = character_length(text, i);
    parts.emplace_back(text.substr(i, n));
    i += n;
  }
  while (true) {
    std::size_t best = parts.size();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = scores.find(parts[i] + parts[i + 1]);
      if (found == scores.end()) continue;
      if (best == parts.size() || found->second > scores[parts[best] + parts[best + 1]]) best = i;
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  for (std::string& part : parts) {
    if (!scores.contains(part)) part = "[" + part + "]";
  }
  return parts;
}

/// Random pieces over a small alphabet, spaces among it.
SentencePieceModel random_model(Random& random, Kind kind, const std::vector<std::string>& alphabet,
                                bool distinct_scores) {
  ModelBuilder builder;
  builder.specials().kind(kind);
  std::map<std::string, bool> made;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (std::uint64_t n = i < 4 ? 1 : 1 + random.below(4); n > 0; --n) {
      text += alphabet[random.below(alphabet.size())];
    }
    if (!made.emplace(text, true).second) continue;
    const auto level = static_cast<float>(distinct_scores ? i : random.below(5));
    builder.piece(text, -1 - level);
  }
  return builder.build();
}

std::string random_string(Random& random, const std::vector<std::string>& alphabet) {
  std::string text;
  for (std::uint64_t n = random.below(25); n > 0; --n) {
    text += alphabet[random.below(alphabet.size())];
  }
  return text;
}

TEST(BpeSegmenter, EqualsTheDefinition) {
  // One alphabet whose pieces may go on behind a space, so that words are not apart.
  const std::vector<std::string> alphabet = {"a", "b", "我", "\u2581"};
  Random random(random_key(11, "bpe"));
  for (int round = 0; round < 200; ++round) {
    const SentencePieceModel model = random_model(random, Kind::kBpe, alphabet, round % 2 == 0);
    for (int i = 0; i < 10; ++i) {
      const std::string text = random_string(random, alphabet);
      ASSERT_EQ(cut(model, text), merge_naively(model, text)) << text;
    }
  }
}

TEST(BpeSegmenter, WordsApartEqualsTheDefinition) {
  Random random(random_key(12, "bpe"));
  for (int round = 0; round < 200; ++round) {
    ModelBuilder builder;
    builder.specials().kind(Kind::kBpe);
    std::map<std::string, bool> made;
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (std::uint64_t n = random.below(3); n > 0; --n) text += "\u2581";
      for (std::uint64_t n = random.below(4); n > 0; --n) text += random.below(2) ? "a" : "b";
      if (!text.empty() && made.emplace(text, true).second) {
        builder.piece(text, -static_cast<float>(i));
      }
    }
    const SentencePieceModel model = builder.build();
    for (int i = 0; i < 10; ++i) {
      const std::string text = random_string(random, {"a", "b", "\u2581"});
      ASSERT_EQ(cut(model, text), merge_naively(model, text)) << text;
    }
  }
}

TEST(UnigramSegmenter, FindsTheBestScore) {
  const SentencePieceModel model = ModelBuilder()
                                       .specials()
                                       .piece("a", -3)
                                       .piece("b", -3)
                                       .piece("ab", -5)
                                       .piece("abb", -7)
                                       .build();
  EXPECT_THAT(cut(model, "ab"), ElementsAre("ab"));
  EXPECT_THAT(cut(model, "abb"), ElementsAre("abb"));
  EXPECT_THAT(cut(model, "ba"), ElementsAre("b", "a"));
  EXPECT_THAT(cut(model, "axb"), ElementsAre("a", "[x]", "b"));
  EXPECT_THAT(cut(model, ""), ElementsAre());
}

TEST(UnigramSegmenter, UserDefinedPiecesWin) {
  const SentencePieceModel model = ModelBuilder()
                                       .specials()
                                       .piece("ab", 0, Type::kUser)
                                       .piece("a", -1)
                                       .piece("b", -1)
                                       .piece("c", -1)
                                       .piece("abc", -0.5f)
                                       .piece("unused", 0, Type::kUnused)
                                       .build();
  EXPECT_THAT(cut(model, "ab"), ElementsAre("ab"));
  EXPECT_THAT(cut(model, "abc"), ElementsAre("abc"));
  EXPECT_THAT(cut(model, "cab"), ElementsAre("c", "ab"));
  EXPECT_THAT(cut(model, "un"), ElementsAre("[u]", "[n]"));
}

/// The best score over all segmentations, by trying each.
double best_score(const SentencePieceModel& model, std::string_view text) {
  if (text.empty()) return 0;
  double best = -1e9;
  double lowest = 0;
  for (const auto& piece : model.pieces) {
    if (piece.type == Type::kNormal) lowest = std::min<double>(lowest, piece.score);
  }
  bool single = false;
  const std::size_t character = character_length(text, 0);
  for (const auto& piece : model.pieces) {
    if (piece.type != Type::kNormal || !text.starts_with(piece.text)) continue;
    single = single || piece.text.size() == character;
    best = std::max(best, piece.score + best_score(model, text.substr(piece.text.size())));
  }
  if (!single) best = std::max(best, lowest - 10 + best_score(model, text.substr(character)));
  return best;
}

TEST(UnigramSegmenter, EqualsTheDefinition) {
  const std::vector<std::string> alphabet = {"a", "b", "我", "c"};
  Random random(random_key(13, "unigram"));
  for (int round = 0; round < 100; ++round) {
    const SentencePieceModel model = random_model(random, Kind::kUnigram, alphabet, true);
    std::map<std::string, double> scores;
    double lowest = 0;
    for (const auto& piece : model.pieces) {
      if (piece.type != Type::kNormal) continue;
      scores[piece.text] = piece.score;
      lowest = std::min<double>(lowest, piece.score);
    }
    std::string text = random_string(random, alphabet);
    if (text.size() > 12) text = "ab我c";
    double score = 0;
    for (const std::string& part : cut(model, text)) {
      score += part[0] == '[' ? lowest - 10 : scores.at(part);
    }
    EXPECT_NEAR(score, best_score(model, text), 1e-4) << text;
  }
}

TEST(WordSegmenter, EachSpaceBeginsAWord) {
  const SentencePieceModel model = ModelBuilder()
                                       .specials()
                                       .kind(Kind::kWord)
                                       .piece("\u2581the", -1)
                                       .piece("\u2581", -2)
                                       .piece("cat", -3)
                                       .build();
  EXPECT_THAT(cut(model, "\u2581the\u2581cat"), ElementsAre("\u2581the", "[\u2581cat]"));
  EXPECT_THAT(cut(model, "cat\u2581\u2581the"), ElementsAre("cat", "\u2581", "\u2581the"));
  EXPECT_THAT(cut(model, "<s>"), ElementsAre("[<s>]"));
  EXPECT_THAT(cut(model, ""), ElementsAre());
}

TEST(CharSegmenter, CharactersAndUserDefinedPieces) {
  const SentencePieceModel model = ModelBuilder()
                                       .specials()
                                       .kind(Kind::kChar)
                                       .piece("a", -1)
                                       .piece("我", -2)
                                       .piece("\n", -3)
                                       .piece("a我", 0, Type::kUser)
                                       .build();
  EXPECT_THAT(cut(model, "aa我我\nb"), ElementsAre("a", "a我", "我", "\n", "[b]"));
}

TEST(PieceTrie, FindsEveryPrefix) {
  const PieceTrie trie({{"a", 1}, {"ab", 2}, {"abcd", 3}, {"b", 4}, {"我", 5}});
  const auto prefixes = [&](std::string_view text) {
    std::vector<std::pair<std::size_t, std::int32_t>> found;
    trie.for_each_prefix(text, [&](std::size_t n, std::int32_t v) { found.emplace_back(n, v); });
    return found;
  };
  using testing::Pair;
  EXPECT_THAT(prefixes("abcde"), ElementsAre(Pair(1u, 1), Pair(2u, 2), Pair(4u, 3)));
  EXPECT_THAT(prefixes("abc"), ElementsAre(Pair(1u, 1), Pair(2u, 2)));
  EXPECT_THAT(prefixes("我们"), ElementsAre(Pair(3u, 5)));
  EXPECT_THAT(prefixes("x"), ElementsAre());
  EXPECT_THAT(prefixes(""), ElementsAre());
  EXPECT_EQ(trie.longest_prefix("abcde"), 4u);
  EXPECT_EQ(trie.longest_prefix("c"), 0u);
  EXPECT_TRUE(PieceTrie().empty());
  EXPECT_EQ(PieceTrie().longest_prefix("a"), 0u);
}

}  // namespace
}  // namespace llmctl
