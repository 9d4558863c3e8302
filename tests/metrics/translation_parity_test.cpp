// Against sacreBLEU's values (tests/parity/README.md).
#include <gtest/gtest.h>

#include <cmath>

#include "base/files.h"
#include "config/json.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/ter.h"
#include "metrics/translation.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

constexpr double kTolerance = 1e-6;
using Texts = std::vector<std::string>;

nlohmann::json golden() {
  return nlohmann::json::parse(read_file(test::parity_dir() / "metrics/translation.json"));
}

/// References of each sentence, from streams of one reference for each.
std::vector<Texts> by_sentence(const nlohmann::json& streams) {
  std::vector<Texts> references(streams.at(0).size());
  for (const auto& stream : streams) {
    for (std::size_t i = 0; i < references.size(); ++i)
      references[i].push_back(stream.at(i).get<std::string>());
  }
  return references;
}

struct Corpus {
  Texts hypotheses;
  std::vector<Texts> references;
};

Corpus corpus_of(const nlohmann::json& all, const nlohmann::json& entry) {
  const auto& corpus = all.at("corpora").at(entry.at("corpus").get<std::string>());
  return {corpus.at("hypotheses").get<Texts>(), by_sentence(corpus.at("references"))};
}

/// The options of an entry; nothing for settings that are not part of this program.
std::optional<TranslationScoreOptions> options_of(const nlohmann::json& settings) {
  TranslationScoreOptions options;
  for (const auto& [name, value] : settings.items()) {
    if (name == "tokenize") {
      options.tokenizer = parse_bleu_tokenizer(value.get<std::string>());
    } else if (name == "lowercase") {
      options.lowercase = value.get<bool>();
    } else if (name != "word_order") {
      return std::nullopt;
    }
  }
  return options;
}

TranslationTotals totals_of(const Corpus& corpus, const TranslationScoreOptions& options) {
  TranslationTotals totals(options);
  totals.add(corpus.hypotheses, corpus.references);
  return totals;
}

TEST(TranslationParity, Bleu) {
  LLMCTL_NEEDS_PARITY("metrics/translation.json");
  const auto all = golden();
  int cases = 0;
  for (const auto& entry : all.at("scores")) {
    if (entry.at("metric") != "BLEU" || entry.at("corpus") == "tricky") continue;
    const auto options = options_of(entry.at("settings"));
    if (!options) continue;
    SCOPED_TRACE(entry.at("name"));
    ++cases;
    const Corpus corpus = corpus_of(all, entry);
    const TranslationTotals totals = totals_of(corpus, *options);
    EXPECT_NEAR(totals.scores().at("bleu"), entry.at("score").get<double>(), kTolerance);
    EXPECT_EQ(totals.signatures()[0], "BLEU " + entry.at("signature").get<std::string>());
    for (std::size_t i = 0; i < corpus.hypotheses.size(); ++i) {
      EXPECT_NEAR(sentence_bleu(corpus.hypotheses[i], corpus.references[i], *options),
                  entry.at("sentence_effective_order")[i].get<double>(), kTolerance)
          << corpus.hypotheses[i];
    }
  }
  EXPECT_GE(cases, 8);
}

TEST(TranslationParity, ResampledCorpora) {
  LLMCTL_NEEDS_PARITY("metrics/translation.json");
  const auto all = golden();
  int cases = 0;
  for (const auto& entry : all.at("scores")) {
    if (!entry.contains("bootstrap")) continue;
    ++cases;
    const auto options = options_of(entry.at("settings"));
    ASSERT_TRUE(options);
    const Corpus corpus = corpus_of(all, entry);
    const auto& bootstrap = entry.at("bootstrap");
    for (std::size_t sample = 0; sample < bootstrap.at("indices").size(); ++sample) {
      Corpus picked;
      for (const std::size_t i : bootstrap.at("indices")[sample].get<std::vector<std::size_t>>()) {
        picked.hypotheses.push_back(corpus.hypotheses[i]);
        picked.references.push_back(corpus.references[i]);
      }
      EXPECT_NEAR(totals_of(picked, *options).scores().at("bleu"),
                  bootstrap.at("score_a")[sample].get<double>(), kTolerance);
    }
  }
  if (cases == 0) GTEST_SKIP() << "these golden results have no resampled corpora";
}

TEST(TranslationParity, Chrf) {
  LLMCTL_NEEDS_PARITY("metrics/translation.json");
  const auto all = golden();
  int cases = 0;
  for (const auto& entry : all.at("scores")) {
    const std::string metric = entry.at("metric");
    if (!metric.starts_with("chrF")) continue;
    const auto options = options_of(entry.at("settings"));
    if (!options) continue;
    ++cases;
    const bool words = metric == "chrF++";
    const Corpus corpus = corpus_of(all, entry);
    const TranslationTotals totals = totals_of(corpus, *options);
    EXPECT_NEAR(totals.scores().at(words ? "chrf++" : "chrf"), entry.at("score").get<double>(),
                kTolerance);
    EXPECT_EQ(totals.signatures()[words ? 2 : 1],
              (words ? "chrF2++ " : "chrF2 ") + entry.at("signature").get<std::string>());
    if (options->lowercase) continue;
    for (std::size_t i = 0; i < corpus.hypotheses.size(); ++i) {
      const SentenceChrf counts = chrf_counts(corpus.hypotheses[i], corpus.references[i]);
      EXPECT_NEAR(chrf_score(words ? counts.words : counts.characters, words),
                  entry.at("sentence")[i].get<double>(), kTolerance)
          << corpus.hypotheses[i];
    }
  }
  EXPECT_GE(cases, 6);
}

TerCounts edits_of(const std::string& hypothesis, const Texts& references) {
  Texts texts = {python_lower(hypothesis)};
  for (const std::string& reference : references) texts.push_back(python_lower(reference));
  std::vector<std::vector<std::string_view>> words;
  for (const std::string& text : texts) words.push_back(split_words(text));
  return ter_counts(words[0], std::span(words).subspan(1));
}

TEST(TranslationParity, Ter) {
  LLMCTL_NEEDS_PARITY("metrics/translation.json");
  const auto all = golden();
  int cases = 0;
  for (const auto& entry : all.at("scores")) {
    if (entry.at("metric") != "TER" || !entry.at("settings").empty()) continue;
    ++cases;
    const Corpus corpus = corpus_of(all, entry);
    const TranslationTotals totals = totals_of(corpus, {});
    EXPECT_NEAR(totals.scores().at("ter"), entry.at("score").get<double>(), kTolerance);
    EXPECT_EQ(totals.signatures()[3], "TER " + entry.at("signature").get<std::string>());
    for (std::size_t i = 0; i < corpus.hypotheses.size(); ++i) {
      EXPECT_NEAR(ter_score(edits_of(corpus.hypotheses[i], corpus.references[i])),
                  entry.at("sentence")[i].get<double>(), kTolerance)
          << corpus.hypotheses[i];
    }
  }
  EXPECT_GE(cases, 2);
}

TEST(TranslationParity, EmptyAndShortTexts) {
  LLMCTL_NEEDS_PARITY("metrics/translation.json");
  const auto all = golden();
  for (const auto& entry : all.at("scores")) {
    if (entry.at("corpus") != "tricky") continue;
    const auto& pairs = entry.at("pairs");
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::string hypothesis = pairs[i][0];
      const Texts references = {pairs[i][1].get<std::string>()};
      SCOPED_TRACE(hypothesis + " / " + references[0]);
      EXPECT_NEAR(sentence_bleu(hypothesis, references),
                  entry.at("sentence_effective_order")[i].get<double>(), kTolerance);
      TranslationTotals totals;
      totals.add(hypothesis, references);
      const Scores scores = totals.scores();
      EXPECT_NEAR(scores.at("bleu"), entry.at("sentence_plain")[i].get<double>(), kTolerance);
      EXPECT_NEAR(scores.at("chrf"), entry.at("chrf")[i].get<double>(), kTolerance);
      EXPECT_NEAR(scores.at("chrf++"), entry.at("chrf++")[i].get<double>(), kTolerance);
      EXPECT_NEAR(scores.at("ter"), entry.at("ter")[i].get<double>(), kTolerance);
    }
  }
}

}  // namespace
}  // namespace llmctl
