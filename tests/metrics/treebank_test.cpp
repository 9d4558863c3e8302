#include "metrics/treebank.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

using Words = std::vector<std::u32string>;

TEST(Treebank, PunctuationStandsAlone) {
  EXPECT_EQ(treebank_words(U"good muffins cost $3.88 (roughly 3,36 euros)"),
            (Words{U"good", U"muffins", U"cost", U"$", U"3.88", U"(", U"roughly", U"3,36", U"euros",
                   U")"}));
  EXPECT_EQ(treebank_words(U"so: wait, no; stop! ok?"),
            (Words{U"so", U":", U"wait", U",", U"no", U";", U"stop", U"!", U"ok", U"?"}));
  EXPECT_EQ(treebank_words(U"a--b [c] {d} <e> 5% x*y"),
            (Words{U"a", U"--", U"b", U"[", U"c", U"]", U"{", U"d", U"}", U"<", U"e", U">", U"5",
                   U"%", U"x", U"*", U"y"}));
}

TEST(Treebank, OnlyTheLastStopIsCutOff) {
  EXPECT_EQ(treebank_words(U"in new york. please ask dr. no."),
            (Words{U"in", U"new", U"york.", U"please", U"ask", U"dr.", U"no", U"."}));
  EXPECT_EQ(treebank_words(U"(he left.)"), (Words{U"(", U"he", U"left", U".", U")"}));
  EXPECT_EQ(treebank_words(U"wait... what.."), (Words{U"wait", U"...", U"what", U".."}));
  EXPECT_EQ(treebank_words(U"."), (Words{U"."}));
}

TEST(Treebank, QuotesOpenAndClose) {
  EXPECT_EQ(treebank_words(U"\"yes,\" he said"),
            (Words{U"``", U"yes", U",", U"''", U"he", U"said"}));
  EXPECT_EQ(treebank_words(U"the 'best' of"), (Words{U"the", U"'", U"best", U"'", U"of"}));
  EXPECT_EQ(treebank_words(U"«oui»"), (Words{U"«", U"oui", U"»"}));
}

TEST(Treebank, CliticsAndContractions) {
  EXPECT_EQ(treebank_words(U"i don't know what's john's"),
            (Words{U"i", U"do", U"n't", U"know", U"what", U"'s", U"john", U"'s"}));
  EXPECT_EQ(treebank_words(U"we'll they've i'd"),
            (Words{U"we", U"'ll", U"they", U"'ve", U"i", U"'d"}));
  EXPECT_EQ(treebank_words(U"cannot gonna 'twas lemme"),
            (Words{U"can", U"not", U"gon", U"na", U"'", U"twas", U"lem", U"me"}));
  EXPECT_EQ(treebank_words(U"more'n'twas"), (Words{U"more", U"'n", U"'t", U"was"}));
  EXPECT_EQ(treebank_words(U"cannotify"), (Words{U"cannotify"}));
}

TEST(Treebank, Nothing) {
  EXPECT_EQ(treebank_words(U""), Words{});
  EXPECT_EQ(treebank_words(U" \t\u3000 "), Words{});
}

}  // namespace
}  // namespace llmctl
