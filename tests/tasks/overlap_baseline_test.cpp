#include "tasks/overlap_baseline.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(OverlapBaseline, BestSentenceAndItsNewWords) {
  EXPECT_EQ(overlap_answer("Where does Anna live?",
                           "Peter lives in Rome. Anna does live near the old harbour. It rains."),
            "near the old harbour");
  EXPECT_EQ(overlap_answer("杨晓兰的火炉是什么颜色？",
                           "董静霞来自云林城。杨晓兰的火炉是天蓝色的，很旧。"),
            "天蓝");
}

TEST(OverlapBaseline, PunctuationEndsARun) {
  EXPECT_EQ(overlap_answer("who is it", "it is one, two three; four"), "two three");
}

TEST(OverlapBaseline, RareWordsCountMore) {
  EXPECT_EQ(overlap_answer("the zebra",
                           "The cat eats the fish. The fish is gone. A zebra drinks slowly."),
            "drinks slowly");
}

TEST(OverlapBaseline, NumbersWithPointsStayInTheirSentence) {
  EXPECT_EQ(overlap_answer("how much is tea", "Tea is 3.5 crowns today. Rain."), "5 crowns today");
}

TEST(OverlapBaseline, NothingToSay) {
  EXPECT_EQ(overlap_answer("q", ""), "");
  EXPECT_EQ(overlap_answer("q", "。！"), "");
  EXPECT_EQ(overlap_answer("a b", "a b"), "");
}

}  // namespace
}  // namespace llmctl
