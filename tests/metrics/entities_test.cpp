#include "metrics/entities.h"

#include <gmock/gmock.h>

namespace llmctl {
namespace {

using testing::ElementsAre;
using Tags = std::vector<std::string>;

TEST(Entities, OfBio) {
  EXPECT_THAT(entities_of(Tags{"B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC"}),
              ElementsAre(Entity{"PER", 0, 2}, Entity{"LOC", 3, 4}, Entity{"LOC", 4, 6}));
  EXPECT_TRUE(entities_of(Tags{"O", "O"}).empty());
  EXPECT_TRUE(entities_of(Tags{}).empty());
}

TEST(Entities, OfBioes) {
  EXPECT_THAT(entities_of(Tags{"S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "O"}),
              ElementsAre(Entity{"PER", 0, 1}, Entity{"LOC", 1, 4}, Entity{"LOC", 4, 5}));
}

TEST(Entities, WithoutTypes) {
  EXPECT_THAT(entities_of(Tags{"B", "E", "S", "B", "I", "E"}),
              ElementsAre(Entity{"_", 0, 2}, Entity{"_", 2, 3}, Entity{"_", 3, 6}));
}

TEST(Entities, TagsThatCannotFollowAreReadAsConllevalReadsThem) {
  EXPECT_THAT(entities_of(Tags{"O", "I-PER", "I-LOC"}),
              ElementsAre(Entity{"PER", 1, 2}, Entity{"LOC", 2, 3}));
  EXPECT_THAT(entities_of(Tags{"E-PER", "I-PER", "E-PER", "E-PER"}),
              ElementsAre(Entity{"PER", 0, 1}, Entity{"PER", 1, 3}, Entity{"PER", 3, 4}));
  EXPECT_THAT(entities_of(Tags{"B-PER-X", "I-PER-X"}), ElementsAre(Entity{"PER-X", 0, 2}));
}

TEST(EntityTotals, CountsTypeBeginningAndEnd) {
  EntityTotals totals;
  const std::vector<Entity> expected = {{"PER", 0, 2}, {"LOC", 3, 4}, {"LOC", 6, 8}};
  const std::vector<Entity> predicted = {{"PER", 0, 2}, {"PER", 3, 4}, {"LOC", 6, 9}};
  totals.add(expected, predicted);
  const Scores scores = totals.scores(true);
  EXPECT_NEAR(scores.at("f1"), 100.0 / 3, 1e-9);
  EXPECT_NEAR(scores.at("precision"), 100.0 / 3, 1e-9);
  EXPECT_EQ(scores.at("entity.PER.precision"), 50);
  EXPECT_EQ(scores.at("entity.PER.recall"), 100);
  EXPECT_EQ(scores.at("entity.LOC.f1"), 0);
  EXPECT_NEAR(scores.at("macro_f1"), 100.0 / 3, 1e-9);
  EXPECT_EQ(scores.at("total"), 3);
  for (const Score& score : scores)
    EXPECT_NE(find_kind(EntityTotals::kinds(true), score.kind.name), nullptr) << score.kind.name;
}

TEST(EntityTotals, NothingToFindIsNoScore) {
  EntityTotals totals({"PER"});
  totals.add({}, {});
  EXPECT_EQ(totals.scores(false).at("f1"), 0);
  EXPECT_EQ(totals.scores(true).at("total"), 0);
}

TEST(EntityTotals, SumsOfProcessesAreTheWhole) {
  const std::vector<Entity> a = {{"PER", 0, 2}, {"LOC", 3, 4}}, b = {{"LOC", 3, 4}, {"LOC", 5, 6}};
  EntityTotals whole({"LOC", "PER"}), first({"LOC", "PER"}), second({"LOC", "PER"});
  whole.add(a, b);
  whole.add(b, a);
  first.add(a, b);
  second.add(b, a);
  for (std::size_t i = 0; i < first.numbers().size(); ++i)
    first.numbers()[i] += second.numbers()[i];
  EXPECT_EQ(first.scores(true), whole.scores(true));
}

TEST(EntityTotals, UntypedEntitiesHaveNoScoresOfTheirOwn) {
  EntityTotals totals;
  const std::vector<Entity> words = {{"_", 0, 2}, {"_", 2, 3}};
  totals.add(words, words);
  EXPECT_EQ(totals.scores(true).at("f1"), 100);
  EXPECT_EQ(totals.scores(true).size(), 7u);
}

}  // namespace
}  // namespace llmctl
