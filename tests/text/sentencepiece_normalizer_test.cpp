#include "text/sentencepiece_normalizer.h"

#include <gmock/gmock.h>

#include "base/random.h"
#include "text/model_builder.h"
#include "text/random_text.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using testing::ElementsAre;

const std::string kSpace = "\u2581";

TEST(SentencePieceNormalizer, SpellsSpacesAndPutsOneBefore) {
  const SentencePieceModel model = ModelBuilder().specials().prefixed().build();
  const SentencePieceNormalizer normalizer(model);
  EXPECT_EQ(normalizer.normalize("a  b", true, false).text, kSpace + "a" + kSpace + kSpace + "b");
  EXPECT_EQ(normalizer.normalize(" a", true, false).text, kSpace + kSpace + "a");
  EXPECT_EQ(normalizer.normalize("a ", false, false).text, "a" + kSpace);
  EXPECT_EQ(normalizer.normalize("", true, false).text, "");
  EXPECT_EQ(normalizer.normalize("\n\t", true, false).text, kSpace + "\n\t");
  EXPECT_THAT(normalizer.normalize("a 我", true, true).origin,
              ElementsAre(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 5));
  EXPECT_TRUE(normalizer.normalize("a", true, false).origin.empty());
}

TEST(SentencePieceNormalizer, PlainKeepsTheText) {
  const SentencePieceModel model = ModelBuilder().specials().plain().build();
  const SentencePieceNormalizer normalizer(model);
  EXPECT_EQ(normalizer.normalize(" a", true, false).text, kSpace + "a");
  EXPECT_EQ(normalizer.normalize("a", true, false).text, "a");
}

TEST(SentencePieceNormalizer, DropsExtraSpaces) {
  const SentencePieceModel model = ModelBuilder().specials().build();
  const SentencePieceNormalizer normalizer(model);
  const NormalizedText result = normalizer.normalize("  a   b ", true, true);
  EXPECT_EQ(result.text, kSpace + "a" + kSpace + "b");
  EXPECT_THAT(result.origin, ElementsAre(2, 2, 2, 2, 3, 3, 3, 6, 7));
  EXPECT_EQ(normalizer.normalize("   ", true, true).text, "");
  EXPECT_THAT(normalizer.normalize("   ", true, true).origin, ElementsAre(3));
  EXPECT_EQ(normalizer.normalize(" \n ", true, false).text, kSpace + "\n");
}

TEST(SentencePieceNormalizer, UserDefinedPiecesAreTakenAsTheyStand) {
  const SentencePieceModel model =
      ModelBuilder().specials().plain().piece("a  b", 0, ModelBuilder::Type::kUser).build();
  const SentencePieceNormalizer normalizer(model);
  EXPECT_EQ(normalizer.normalize("xa  by", true, false).text, "xa" + kSpace + kSpace + "by");
}

// One origin per byte and one for the end, in order, at the beginnings of characters.
TEST(SentencePieceNormalizer, OriginsAreInOrder) {
  Random random(random_key(5, "normalizer"));
  for (const bool extra : {false, true}) {
    const SentencePieceModel model =
        (extra ? ModelBuilder().specials() : ModelBuilder().specials().prefixed()).build();
    const SentencePieceNormalizer normalizer(model);
    for (int i = 0; i < 200; ++i) {
      const std::string text = test::random_text(random, 1 + random.below(20));
      const NormalizedText result = normalizer.normalize(text, true, true);
      ASSERT_EQ(result.origin.size(), result.text.size() + 1);
      ASSERT_TRUE(std::is_sorted(result.origin.begin(), result.origin.end()));
      for (const std::uint32_t at : result.origin) {
        ASSERT_TRUE(at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80);
      }
      ASSERT_EQ(normalizer.normalize(text, true, false).text, result.text);
    }
  }
}

}  // namespace
}  // namespace llmctl
