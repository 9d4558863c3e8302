#include "metrics/classification.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(Classification, ByHand) {
  ConfusionMatrix matrix(3);
  for (auto [truth, predicted] : {std::pair{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {2, 1}}) {
    matrix.add(truth, predicted);
  }
  EXPECT_EQ(matrix.total(), 6);
  EXPECT_EQ(matrix.count(0, 1), 1);
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 0.5);
  const auto scores = matrix.per_class();
  EXPECT_DOUBLE_EQ(scores[0].precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores[0].recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores[1].precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(scores[1].recall, 0.5);
  EXPECT_DOUBLE_EQ(scores[1].f1, 0.4);
  EXPECT_EQ(scores[2].f1, 0);
  EXPECT_EQ(scores[2].support, 1);
  EXPECT_DOUBLE_EQ(matrix.macro_f1(), (2.0 / 3 + 0.4) / 3);
  EXPECT_DOUBLE_EQ(matrix.weighted_f1(), (3 * 2.0 / 3 + 2 * 0.4) / 6);
}

TEST(Classification, ClassesThatDoNotOccurAreLeftOut) {
  ConfusionMatrix matrix(3);
  matrix.add(0, 0);
  matrix.add(1, 1);
  EXPECT_DOUBLE_EQ(matrix.macro_f1(), 1.0);
}

TEST(LabelSets, ByHand) {
  LabelSetCounts counts(3);
  counts.add({0, 1}, {0, 1});
  counts.add({0}, {1});
  counts.add({}, {});
  counts.add({1}, {0, 1});
  EXPECT_DOUBLE_EQ(counts.subset_accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(counts.micro_f1(), 2 * 3.0 / (4 + 5));
  EXPECT_DOUBLE_EQ(counts.macro_f1(), (2 * 1.0 / 4 + 2 * 2.0 / 5) / 2) << "class 2 never occurs";
  EXPECT_EQ(counts.per_label()[1].support, 2);
  const Scores scores = counts.scores({"a", "b", "c"});
  EXPECT_DOUBLE_EQ(scores.at("class.a.precision"), 50);
  EXPECT_DOUBLE_EQ(scores.at("class.b.recall"), 100);
  EXPECT_EQ(scores.at("total"), 4);
}

TEST(Classification, Empty) {
  const ConfusionMatrix matrix(2);
  EXPECT_EQ(matrix.accuracy(), 0);
  EXPECT_EQ(matrix.macro_f1(), 0);
  EXPECT_EQ(matrix.weighted_f1(), 0);
}

}  // namespace
}  // namespace llmctl
