#include "text/sentences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace llmctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Sentences, EndBehindStopsWithWhatCloses) {
  EXPECT_THAT(split_sentences("One. Two!  Three? \"Four.\" (Five.) Six"),
              ElementsAre("One.", "Two!", "Three?", "\"Four.\"", "(Five.)", "Six"));
  EXPECT_THAT(split_sentences("  Wait... What?!  Yes. "), ElementsAre("Wait...", "What?!", "Yes."));
  EXPECT_THAT(split_sentences("\"Go!\" she said. He went."),
              ElementsAre("\"Go!\" she said.", "He went."));
  EXPECT_THAT(split_sentences(""), IsEmpty());
  EXPECT_THAT(split_sentences(" \t"), IsEmpty());
}

TEST(Sentences, ChineseOnesNeedNoSpace) {
  EXPECT_THAT(split_sentences("他来了。她说：“好！”然后走了？是的……吧"),
              ElementsAre("他来了。", "她说：“好！”", "然后走了？", "是的……吧"));
}

TEST(Sentences, AbbreviationsInitialsAndNumbersEndNone) {
  EXPECT_THAT(split_sentences("Mr. Smith met J. Doe, e.g. Tuesday. Then he left."),
              ElementsAre("Mr. Smith met J. Doe, e.g. Tuesday.", "Then he left."));
  EXPECT_THAT(split_sentences("Am 3. Mai kam er, z.B. mit Dr. Weiß. Im Jahr 1990. Gut."),
              ElementsAre("Am 3. Mai kam er, z.B. mit Dr. Weiß.", "Im Jahr 1990.", "Gut."));
  EXPECT_THAT(split_sentences("It costs 3.5 euros. ok, then. Fine"),
              ElementsAre("It costs 3.5 euros. ok, then.", "Fine"));
}

}  // namespace
}  // namespace llmctl
