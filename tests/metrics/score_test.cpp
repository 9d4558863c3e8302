#include "metrics/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "metrics/perplexity.h"

namespace llmctl {
namespace {

const double kNaN = std::nan("");

Scores scores(double exact_match, double loss) {
  return {percent_score("exact_match", exact_match / 100, 4), loss_score("loss", loss, 4)};
}

TEST(Score, SharesAreWrittenAsPercentagesAndCountsAsIntegers) {
  Scores all = {percent_score("accuracy", 0.834, 200), loss_score("loss", std::log(10), 200)};
  all.add(count_score("total", 200));
  all.add(perplexity_score("perplexity", 10, 200));
  EXPECT_EQ(all.values().dump(),
            R"({"accuracy":83.4,"loss":2.302585092994046,"total":200,"perplexity":10.0})");
  EXPECT_EQ(format_score(*all.find("accuracy")), "83.40");
  EXPECT_EQ(format_score(*all.find("total")), "200");
  EXPECT_EQ(format_score(*all.find("loss")), "2.3026");
  EXPECT_EQ(Scores::from_json(all.to_json()), all);
  EXPECT_EQ(all.find("f1"), nullptr);
}

TEST(Score, AddReplacesByName) {
  Scores all = {percent_score("f1", 0.5, 2)};
  all.add(percent_score("f1", 0.25, 4));
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(all.at("f1"), 25);
}

TEST(Score, PlainNumbersAreReadWithoutAKind) {
  const Scores read = Scores::from_json(Json::parse(R"({"loss": 2.5, "f1": null})"));
  EXPECT_EQ(read.at("loss"), 2.5);
  EXPECT_TRUE(std::isnan(read.at("f1")));
  EXPECT_EQ(read.find("loss")->kind.better, Direction::kNone);
}

TEST(Score, TheDirectionIsTheScores) {
  EXPECT_EQ(compare(scores(50, 1), scores(40, 1), "exact_match"), Standing::kBetter);
  EXPECT_EQ(compare(scores(40, 1), scores(50, 9), "exact_match"), Standing::kWorse);
  EXPECT_EQ(compare(scores(40, 1), scores(50, 2), "loss"), Standing::kBetter);
  EXPECT_EQ(compare(scores(90, 2), scores(50, 1), "loss"), Standing::kWorse);
  const Scores low = {loss_score("bits_per_byte", 1.5, 1)},
               high = {loss_score("bits_per_byte", 2.5, 1)};
  EXPECT_EQ(compare(low, high, "bits_per_byte"), Standing::kBetter)
      << "no name is read: this one has no loss in it";
  EXPECT_EQ(compare(high, low, "bits_per_byte"), Standing::kWorse);
}

TEST(Score, BetweenEqualsTheLossDecides) {
  EXPECT_EQ(compare(scores(0, 1.83), scores(0, 2.45), "exact_match"), Standing::kBetter);
  EXPECT_EQ(compare(scores(0, 2.45), scores(0, 1.83), "exact_match"), Standing::kWorse);
  EXPECT_EQ(compare(scores(0, 2), scores(0, 2), "exact_match"), Standing::kEqual);
  EXPECT_EQ(compare(scores(0, kNaN), scores(0, 2), "exact_match"), Standing::kWorse);
  EXPECT_EQ(compare(scores(0, 2), scores(0, kNaN), "exact_match"), Standing::kBetter);
}

TEST(Score, WhatIsNotFiniteIsNeverBest) {
  EXPECT_EQ(compare(scores(kNaN, 1), scores(10, 1), "exact_match"), Standing::kWorse);
  EXPECT_EQ(compare(scores(1, kNaN), {}, "loss"), Standing::kWorse);
  EXPECT_EQ(compare(scores(10, 1), scores(kNaN, 1), "exact_match"), Standing::kBetter);
  EXPECT_EQ(compare(scores(10, 1), {}, "exact_match"), Standing::kBetter);
  EXPECT_EQ(compare({count_score("total", 9)}, {}, "total"), Standing::kWorse)
      << "a count has no better";
}

TEST(Score, Bounds) {
  const ScoreKind accuracy = percent_kind("accuracy"), loss = loss_kind("loss"),
                  perplexity = perplexity_kind("perplexity");
  EXPECT_EQ(bound_error(accuracy, 70), "");
  EXPECT_EQ(bound_error(accuracy, 900), "must be from 0 to 100 (percent), got 900");
  EXPECT_EQ(bound_error(accuracy, -1), "must be from 0 to 100 (percent), got -1");
  EXPECT_EQ(bound_error(loss, -0.5), "must be at least 0, got -0.5");
  EXPECT_EQ(bound_error(perplexity, 0.5), "must be at least 1, got 0.5");
  EXPECT_NE(bound_error(loss, kNaN), "");
  EXPECT_NE(bound_error(loss, std::numeric_limits<double>::infinity()), "");
  EXPECT_EQ(bound_doubt(accuracy, 0.9),
            "0.9 is 0.9 percent, since shares are from 0 to 100; write 90 for a share of 0.9");
  EXPECT_EQ(bound_doubt(accuracy, 1.5), "");
  EXPECT_EQ(bound_doubt(accuracy, 0), "");
  EXPECT_EQ(bound_doubt(loss, 0.9), "");

  const Score good = percent_score("accuracy", 0.8, 10), low = loss_score("loss", 2, 10);
  EXPECT_TRUE(meets(good, 80));
  EXPECT_FALSE(meets(good, 81));
  EXPECT_TRUE(meets(low, 2));
  EXPECT_FALSE(meets(low, 1.9));
  EXPECT_FALSE(meets(loss_score("loss", kNaN, 1), 100));
}

TEST(Score, KindsMayHoldAnyTextInTheirNames) {
  const std::vector<ScoreKind> kinds = {percent_kind("accuracy"), percent_kind("class.*.f1")};
  EXPECT_NE(find_kind(kinds, "class.very good.f1"), nullptr);
  EXPECT_EQ(find_kind(kinds, "class..f1"), nullptr);
  EXPECT_EQ(find_kind(kinds, "class.good.recall"), nullptr);
  EXPECT_EQ(find_kind(kinds, "accuracy"), kinds.data());
}

TEST(Score, LossAndPerplexityAgree) {
  const Scores both = loss_and_perplexity(20, 10);
  EXPECT_EQ(both.at("loss"), 2);
  EXPECT_DOUBLE_EQ(both.at("perplexity"), std::exp(2));
  EXPECT_EQ(both.find("loss")->count, 10);
}

}  // namespace
}  // namespace llmctl
