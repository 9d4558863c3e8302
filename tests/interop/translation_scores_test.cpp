// Our scores of translations beside sacreBLEU's, on pairs in five languages.
#include <gtest/gtest.h>

#include <sstream>

#include "base/random.h"
#include "config/json.h"
#include "io/text_source.h"
#include "metrics/translation.h"
#include "support/paths.h"
#include "support/python.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

constexpr std::size_t kPairs = 400;  // of each language

struct Pairs {
  std::string language;
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;
};

/// Words, numbers and signs of languages of which no text is bundled.
const std::vector<std::pair<std::string, std::string>> kWords = {
    {"de",
     "der die das Straße Übung größer z.B. 3.500,25 € „ja“ – nicht, und (aber) Haus-Tür 12-A "
     "ÄRZTE groß; 8:30 Uhr. Nr. 5 &amp; Co. läuft schön? Ende!"},
    {"ru",
     "мы они дом дорога 1,5 км. «да» – нет, и (но) тёплый где-то МОСКВА 2026-й год; который? "
     "№ 7 очень хорошо! ещё раз: т.е. сто % людей"},
    {"ja",
     "今日は とても 良い 天気です。 コーヒーを 2杯 ください、 東京（日本）へ 行きました。 「はい」 "
     "ﾃｽﾄ １２３ ABC と言う・ 人々が …… 見る？"}};

std::string sentence_of(const std::vector<std::string>& words, Random& random, bool blanks) {
  std::string text;
  for (std::size_t i = 4 + random.below(14); i > 0; --i)
    text += words[random.below(words.size())] + (blanks && i > 1 ? " " : "");
  return text;
}

/// A bad translation: words dropped, doubled, exchanged, moved. Of texts without blanks,
/// characters.
std::string perturbed(const std::string& text, bool characters, Random& random) {
  std::vector<std::string> units;
  if (characters) {
    const std::string apart = separate_words(text, BleuTokenizer::kChar);
    for (const std::string_view unit : split_words(apart)) units.emplace_back(unit);
  } else {
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ' ');) units.push_back(word);
  }
  std::vector<std::string> out;
  for (const std::string& unit : units) {
    const std::uint64_t draw = random.below(100);
    if (draw < 8) continue;
    out.push_back(draw < 16 ? units[random.below(units.size())] : unit);
    if (draw > 96) out.push_back(unit);
  }
  if (out.size() > 4) {
    const std::size_t from = random.below(out.size() - 2);
    const std::size_t to = random.below(out.size());
    std::rotate(out.begin() + static_cast<std::ptrdiff_t>(std::min(from, to)),
                out.begin() + static_cast<std::ptrdiff_t>(std::max(from, to)), out.end());
  }
  std::string made;
  for (const std::string& unit : out) made += (made.empty() || characters ? "" : " ") + unit;
  return made;
}

std::vector<Pairs> all_pairs() {
  std::vector<Pairs> all(2);
  all[0].language = "en";
  all[1].language = "zh";
  Random random(random_key(5, "pairs"));
  const auto add = [&](Pairs& pairs, const std::string& text, bool characters) {
    pairs.hypotheses.push_back(perturbed(text, characters, random));
    pairs.references.push_back({text, perturbed(text, characters, random)});
  };
  for_each_record(test::source_dir() / "data/translation/en-zh-train.tsv",
                  [&](std::uint64_t, const Json& record) {
                    add(all[0], record.at("en").get<std::string>(), false);
                    add(all[1], record.at("zh").get<std::string>(), true);
                    return all[0].hypotheses.size() < kPairs;
                  });
  for (const auto& [language, text] : kWords) {
    Pairs& pairs = all.emplace_back();
    pairs.language = language;
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    const bool characters = language == "ja";
    while (pairs.hypotheses.size() < kPairs)
      add(pairs, sentence_of(words, random, !characters), characters);
  }
  return all;
}

TEST(TranslationScoresInterop, SacrebleuHasTheSameDigits) {
  LLMCTL_NEEDS_PYTHON("sacrebleu");
  const test::TempDir directory;
  const std::vector<Pairs> all = all_pairs();
  std::string lines;
  for (const Pairs& pairs : all) {
    for (std::size_t i = 0; i < pairs.hypotheses.size(); ++i) {
      lines += dump_json(Json{{"language", pairs.language},
                              {"hypothesis", pairs.hypotheses[i]},
                              {"references", pairs.references[i]}}) +
               "\n";
    }
  }
  const test::ProcessResult result = test::run_python(
      "translation_scores_peer.py", {directory.write("pairs.jsonl", lines).string()});
  ASSERT_EQ(result.status, 0) << result.describe();
  std::istringstream answers(result.out);
  std::size_t seen = 0;
  for (std::string line; std::getline(answers, line); ++seen) {
    const Json theirs = parse_json(line, "translation_scores_peer.py");
    const Pairs& pairs = all.at(seen);
    ASSERT_EQ(theirs.at("language"), pairs.language);
    for (const auto& [tokenizer, score] : theirs.at("bleu").items()) {
      TranslationTotals totals({parse_bleu_tokenizer(tokenizer), false});
      totals.add(pairs.hypotheses, pairs.references);
      EXPECT_NEAR(totals.scores().at("bleu"), score.get<double>(), 1e-9)
          << pairs.language << " " << tokenizer;
      if (tokenizer != "13a") continue;
      EXPECT_EQ(totals.signatures()[0], "BLEU " + theirs.at("signature").get<std::string>());
      for (const char* name : {"chrf", "chrf++", "ter"}) {
        EXPECT_NEAR(totals.scores().at(name), theirs.at(name).get<double>(), 1e-9)
            << pairs.language << " " << name;
      }
    }
  }
  EXPECT_EQ(seen, 5u);
}

}  // namespace
}  // namespace llmctl
