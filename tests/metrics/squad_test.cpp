#include "metrics/squad.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

using Texts = std::vector<std::string>;

TEST(Squad, NormalisesCasePunctuationArticlesAndSpaces) {
  EXPECT_EQ(squad_normalize("  The  Eiffel-Tower, an A.B.C! "), "eiffeltower abc");
  EXPECT_EQ(squad_normalize("theater a1 an"), "theater a1");
  EXPECT_EQ(squad_normalize("“the” cat"), "“ ” cat");
  EXPECT_EQ(squad_normalize("A\u3000the\u00A0ÉCOLE"), "école");
  EXPECT_EQ(squad_normalize("The."), "");
}

TEST(Squad, CountsWordsOnceEach) {
  const AnswerScore score = squad_score("cat cat dog", std::string_view("cat dog dog"));
  EXPECT_EQ(score.exact_match, 0);
  EXPECT_NEAR(score.f1, 4.0 / 6.0, 1e-12);
}

TEST(Squad, TakesTheBestReference) {
  const Texts references = {"red fox", "fox"};
  EXPECT_EQ(squad_score("The fox", references).exact_match, 1);
  EXPECT_EQ(squad_score("the red", references).f1, 2.0 / 3.0);
  EXPECT_EQ(squad_score("The.", Texts{"a", "fox"}).exact_match, 1) << "as SQuAD 1.1's script";
}

TEST(Squad, NoReferenceMeansNoAnswer) {
  EXPECT_EQ(squad_score("", Texts{}).exact_match, 1);
  EXPECT_EQ(squad_score("", Texts{}).f1, 1);
  EXPECT_EQ(squad_score("fox", Texts{}).f1, 0);
}

TEST(Squad, ThresholdOfNoAnswer) {
  // Kept up to 0.2: the right answer counts, the wrong one of the unanswerable question does not.
  const std::vector<ThresholdItem> items = {
      {1.0, 0.2, true, false}, {0.0, 0.9, false, false}, {0.0, 0.5, true, false}};
  const NoAnswerThreshold best = best_no_answer_threshold(items);
  EXPECT_NEAR(best.score, 200.0 / 3.0, 1e-12);
  EXPECT_EQ(best.threshold, 0.2);
  EXPECT_EQ(best_no_answer_threshold({}).score, 0);
}

}  // namespace
}  // namespace llmctl
