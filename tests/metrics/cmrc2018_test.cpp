#include "metrics/cmrc2018.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

using Words = std::vector<std::u32string>;

TEST(Cmrc2018, SegmentsCharactersAndWords) {
  EXPECT_EQ(cmrc2018_segments(" 约 3.5 km，左右。"), (Words{U"约", U"3.5", U"km", U"左", U"右"}));
  EXPECT_EQ(cmrc2018_segments("Don't 6S手机"), (Words{U"do", U"n't", U"6s", U"手", U"机"}));
  EXPECT_EQ(cmrc2018_segments("a……b"), (Words{U"a……b"}));
  EXPECT_EQ(cmrc2018_segments(""), Words{});
}

TEST(Cmrc2018, CountsTheLongestCommonRun) {
  // 北京 is common and contiguous, 市 is not next to it in the reference.
  const AnswerScore score = cmrc2018_score("北京市", std::string_view("在北京的市"));
  EXPECT_EQ(score.exact_match, 0);
  EXPECT_NEAR(score.f1, 2 * 2.0 / 8.0, 1e-12);
}

TEST(Cmrc2018, IgnoresListedMarksAndCase) {
  EXPECT_EQ(cmrc2018_score("《红楼梦》", std::string_view("红楼梦")).exact_match, 1);
  EXPECT_EQ(cmrc2018_score("NBA。", std::string_view("nba")).exact_match, 1);
  EXPECT_EQ(cmrc2018_score("红楼梦!", std::string_view("红楼梦")).exact_match, 0);
}

TEST(Cmrc2018, BestReferenceAndNoAnswer) {
  const std::vector<std::string> references = {"北京市", "北京"};
  EXPECT_EQ(cmrc2018_score("北京", references).exact_match, 1);
  EXPECT_EQ(cmrc2018_score("", std::vector<std::string>{}).f1, 1);
  EXPECT_EQ(cmrc2018_score("北", std::vector<std::string>{}).exact_match, 0);
}

}  // namespace
}  // namespace llmctl
