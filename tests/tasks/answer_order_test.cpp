#include "tasks/answer_order.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace llmctl {
namespace {

class Order : public ::testing::Test {
 protected:
  AnswerOrder order(bool trims) {
    return {[this](const AnswerPiece& piece) {
              shown += concat("[", piece.input, piece.sample, piece.text, piece.last ? ".]" : "]");
            },
            trims};
  }
  std::string shown;
};

TEST_F(Order, HoldsBackWhoseTurnItIsNot) {
  AnswerOrder answers = order(false);
  answers.add(0, 0, "");
  answers.add(1, 0, "p");
  answers.add(1, 1, "p");
  answers.add(2, 0, "");
  answers.push({1, 1, "x", false});
  answers.push({0, 0, "a", false});
  EXPECT_EQ(shown, "[00a]");
  answers.push({1, 1, "y", true});
  answers.push({1, 0, "b", false});
  answers.push({0, 0, " c", false});
  answers.push({0, 0, "", true});
  EXPECT_EQ(shown, "[00a][00 c][00.][10pb]");
  answers.push({1, 0, "", true});
  EXPECT_EQ(shown, "[00a][00 c][00.][10pb][10.][11pxy.]");
  answers.push({2, 0, "", true});
  EXPECT_EQ(shown, "[00a][00 c][00.][10pb][10.][11pxy.][20.]");
}

TEST_F(Order, ShowsNoWhiteSpaceAroundAnAnswer) {
  AnswerOrder answers = order(true);
  answers.add(0, 0, "");
  for (const char* text : {" ", "\n", " a", " ", "b \n", "", "  c  "})
    answers.push({0, 0, text, false});
  EXPECT_EQ(shown, "[00a][00 b][00 \n  c]");
  answers.push({0, 0, " ", true});
  EXPECT_EQ(shown, "[00a][00 b][00 \n  c][00.]");
}

}  // namespace
}  // namespace llmctl
