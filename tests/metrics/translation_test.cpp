#include "metrics/translation.h"

#include <gmock/gmock.h>

#include "base/strings.h"
#include "base/threads.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

std::string words(const std::string& text, BleuTokenizer tokenizer) {
  return join(split_words(separate_words(text, tokenizer)), " ");
}

// The expected words are sacreBLEU 2.6's.
TEST(TranslationWords, Mteval13a) {
  const auto cut = [](const std::string& text) { return words(text, BleuTokenizer::k13a); };
  EXPECT_EQ(cut("He said: \"It's $3.50 (approx.), isn't it?\""),
            "He said : \" It's $ 3.50 ( approx . ) , isn't it ? \"");
  EXPECT_EQ(cut("1,000-2,000 in 1990-91."), "1,000 - 2,000 in 1990 - 91 .");
  EXPECT_EQ(cut("A&amp;B &quot;x&quot; a..b ...5.5%"), "A & B \" x \" a . . b . . . 5.5 %");
  EXPECT_EQ(cut("co-\noperate on\nit <skipped>\n"), "cooperate on it");
  EXPECT_EQ(cut("end.\u3000of\u00a0it"), "end . of it");
}

TEST(TranslationWords, International) {
  const auto cut = [](const std::string& text) { return words(text, BleuTokenizer::kIntl); };
  EXPECT_EQ(cut("«Ja», 3,50 € — in 1999."), "« Ja » , 3,50 € — in 1999.");
  EXPECT_EQ(cut("¿Qué? a+b x²."), "¿ Qué ? a + b x².");
}

TEST(TranslationWords, Chinese) {
  const auto cut = [](const std::string& text) { return words(text, BleuTokenizer::kZh); };
  EXPECT_EQ(cut("他在2008年说：“iPhone 6好……”。"), "他 在 2008 年 说 ： “ iPhone 6 好 … … ” 。");
  EXPECT_EQ(cut("\U00020000\U00020001好"), "\U00020000\U00020001 好");
}

TEST(TranslationWords, CharactersAndNone) {
  EXPECT_EQ(words("a b，好", BleuTokenizer::kChar), "a b ， 好");
  EXPECT_EQ(words("It's (a) b.", BleuTokenizer::kNone), "It's (a) b.");
}

TEST(TranslationWords, SmallLettersAsPythonHasThem) {
  EXPECT_EQ(python_lower("ABC ÄÖ ẞ"), "abc äö ß");
  EXPECT_EQ(python_lower("İstanbul"), "i\u0307stanbul");
  EXPECT_EQ(python_lower("ΟΔΟΣ ΣΟΦΟΣ. Σ"), "οδος σοφος. σ");
}

TEST(TranslationWords, TokenizersHaveNames) {
  for (const std::string& name : bleu_tokenizer_names())
    EXPECT_EQ(bleu_tokenizer_name(parse_bleu_tokenizer(name)), name);
  test::expect_error(ErrorCode::kConfig, {"13a, intl, zh, char, none", "'14a'"},
                     [] { parse_bleu_tokenizer("14a"); });
}

TEST(TranslationScores, TokenizerByTargetLanguage) {
  const auto choose = [](const char* language) {
    return bleu_tokenizer_name(choose_bleu_tokenizer(language, {}).tokenizer);
  };
  EXPECT_STREQ(choose("zh"), "zh");
  EXPECT_STREQ(choose("zh-CN"), "zh");
  EXPECT_STREQ(choose("zho_Hans"), "zh");
  EXPECT_STREQ(choose("ja"), "char");
  EXPECT_STREQ(choose("de"), "13a");
  EXPECT_EQ(choose_bleu_tokenizer("zh-CN", {}).why, "target language zh-CN");
  for (const char* name : {"chinese", "Chinese", "cn", "ZHS", "zht", "zh-hans", "Mandarin"})
    EXPECT_STREQ(choose(name), "zh") << name;
  for (const char* name : {"Japanese", "jp", "korean", "KO"})
    EXPECT_STREQ(choose(name), "char") << name;
}

TEST(TranslationScores, NamesThatAreNoCodesLeaveItToTheScript) {
  const std::vector<std::string> chinese = {"今天天气很好，我们去公园。"}, german = {"Ein Hund."};
  for (const char* name : {"Putonghua", "target", "tgt", "trg", "x", "simplified chinese"}) {
    const ChosenBleuTokenizer chosen = choose_bleu_tokenizer(name, chinese);
    EXPECT_EQ(chosen.tokenizer, BleuTokenizer::kZh) << name;
    EXPECT_EQ(chosen.why, "most references' script");
    EXPECT_EQ(choose_bleu_tokenizer(name, german).tokenizer, BleuTokenizer::k13a) << name;
  }
  for (const char* code : {"de", "de_DE", "eng_Latn", "es-419"})
    EXPECT_EQ(choose_bleu_tokenizer(code, chinese).tokenizer, BleuTokenizer::k13a) << code;
}

TEST(TranslationScores, TokenizerByScript) {
  const auto choose = [](const std::vector<std::string>& references) {
    return bleu_tokenizer_name(choose_bleu_tokenizer("", references).tokenizer);
  };
  EXPECT_STREQ(choose({"今天天气很好，我们去GitHub。"}), "zh");
  EXPECT_STREQ(choose({"今日はとても良い天気です。"}), "char");
  EXPECT_STREQ(choose({"He met 王先生 in town.", "Yes."}), "13a");
  EXPECT_STREQ(choose({}), "13a");
}

TEST(TranslationScores, SeveralReferences) {
  TranslationTotals totals;
  totals.add("the cat sat on the mat",
             std::vector<std::string>{"a cat sat on a mat", "the cat is on the mat"});
  EXPECT_THAT(totals.signatures()[0], testing::StartsWith("BLEU nrefs:2|"));
  totals.add("yes", std::vector<std::string>{"yes"});
  EXPECT_EQ(totals.signatures()[0],
            "BLEU nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  EXPECT_EQ(totals.scores().find("bleu")->count, 2);
}

TEST(TranslationScores, PerfectTranslationsAreAHundredAndNoEdit) {
  TranslationTotals totals;
  totals.add("the cat sat on the mat", std::vector<std::string>{"the cat sat on the mat"});
  const Scores scores = totals.scores();
  EXPECT_EQ(scores.at("bleu"), 100);
  EXPECT_EQ(scores.at("chrf"), 100);
  EXPECT_EQ(scores.at("chrf++"), 100);
  EXPECT_EQ(scores.at("ter"), 0);
}

TEST(TranslationScores, SumsOfProcessesAreTheWhole) {
  const std::vector<std::string> hypotheses = {"a b c d e", "d c b a x y", "the the the the"};
  const std::vector<std::vector<std::string>> references = {
      {"a b c d f"}, {"a b c d x y", "x y a b"}, {"the cat is on the mat"}};
  TranslationTotals whole, first, second;
  whole.add(hypotheses, references);
  first.add(hypotheses[0], references[0]);
  second.add(hypotheses[1], references[1]);
  second.add(hypotheses[2], references[2]);
  for (std::size_t i = 0; i < first.numbers().size(); ++i)
    first.numbers()[i] += second.numbers()[i];
  EXPECT_EQ(first.scores(), whole.scores());
}

TEST(TranslationScores, TheSameOnAnyNumberOfThreads) {
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;
  for (int i = 0; i < 1000; ++i) {
    hypotheses.push_back(concat("sentence ", i, " of a text with ", i % 7, " things in it"));
    references.push_back({concat("sentence ", i, " in a text of ", i % 5, " things"),
                          concat("the text's sentence ", i)});
    if (i % 3 == 0) references.back().pop_back();
  }
  const auto score = [&](int threads) {
    set_thread_count(threads);
    TranslationTotals totals;
    totals.add(hypotheses, references);
    return totals.scores();
  };
  const Scores one = score(1), three = score(3);
  set_thread_count(0);
  EXPECT_EQ(one, three);
}

TEST(TranslationScores, ShiftsOfWordsAreOneEdit) {
  TranslationTotals totals;
  totals.add("in the morning we went to town",
             std::vector<std::string>{"We went to town in the morning"});
  EXPECT_NEAR(totals.scores().at("ter"), 100.0 / 7, 1e-9);
}

}  // namespace
}  // namespace llmctl
