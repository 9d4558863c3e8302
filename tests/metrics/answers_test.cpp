#include "metrics/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace llmctl {
namespace {

using Texts = std::vector<std::string>;
using testing::HasSubstr;

TEST(Answers, EachLanguageByItsRule) {
  AnswerTotals totals;
  EXPECT_EQ(totals.add("The Fox.", Texts{"fox"}, "What is it?").exact_match, 1);
  EXPECT_EQ(totals.add("《红楼梦》", Texts{"红楼梦"}, "是什么书？").exact_match, 1);
  EXPECT_EQ(totals.add("the fox", Texts{"fox"}, "是什么？").exact_match, 0)
      << "a Chinese question keeps articles";
  const auto scores = totals.scores();
  EXPECT_NEAR(scores.at("exact_match"), 200.0 / 3, 1e-9);
  EXPECT_EQ(scores.at("en.exact_match"), 100);
  EXPECT_EQ(scores.at("zh.exact_match"), 50);
  EXPECT_EQ(scores.at("zh.total"), 2);
  EXPECT_EQ(scores.at("total"), 3);
  EXPECT_FALSE(scores.contains("no_answer.f1"));
  EXPECT_EQ(totals.percentages().size(), 6u) << "without the totals";
}

TEST(Answers, OneLanguageHasNoPrefix) {
  AnswerTotals totals;
  totals.add("fox", Texts{"fox"}, "What?");
  EXPECT_EQ(totals.scores(), (Scores{percent_score("exact_match", 1, 1), percent_score("f1", 1, 1),
                                     count_score("total", 1)}));
}

TEST(Answers, FixedRule) {
  AnswerTotals squad(AnswerMetric::kSquad), cmrc(AnswerMetric::kCmrc2018);
  EXPECT_EQ(squad.add("红楼梦。", Texts{"红楼梦"}).exact_match, 0);
  EXPECT_EQ(cmrc.add("the fox", Texts{"fox"}).exact_match, 0);
}

TEST(Answers, QuestionsWithoutAnswer) {
  AnswerTotals totals;
  totals.add("", Texts{}, "Who?");
  totals.add("x", Texts{}, "谁？");
  totals.add("fox", Texts{"fox"}, "Who?");
  const auto scores = totals.scores();
  EXPECT_EQ(scores.at("no_answer.exact_match"), 50);
  EXPECT_EQ(scores.at("has_answer.f1"), 100);
  EXPECT_EQ(scores.at("zh.f1"), 0);
}

TEST(Answers, SumsOfProcessesAdd) {
  AnswerTotals one, two;
  one.add("fox", Texts{"fox"}, "Who?");
  two.add("狐狸", Texts{"狗"}, "谁？");
  for (std::size_t i = 0; i < one.numbers().size(); ++i) one.numbers()[i] += two.numbers()[i];
  EXPECT_EQ(one.scores().at("exact_match"), 50);
  EXPECT_EQ(one.scores().at("zh.exact_match"), 0);
}

TEST(Answers, EmptyIsZero) {
  EXPECT_EQ(AnswerTotals().scores().at("exact_match"), 0);
}

TEST(Answers, NamesOfMetrics) {
  for (const std::string& name : answer_metric_names()) EXPECT_NO_THROW(parse_answer_metric(name));
  try {
    parse_answer_metric("bleu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConfig);
    EXPECT_THAT(error.what(), HasSubstr("got 'bleu'"));
  }
}

}  // namespace
}  // namespace llmctl
