// Against values made with the published definitions (tests/parity/README.md).
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/files.h"
#include "config/json.h"
#include "metrics/answers.h"
#include "metrics/classification.h"
#include "metrics/cmrc2018.h"
#include "metrics/perplexity.h"
#include "metrics/squad.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

constexpr double kTolerance = 1e-6;

nlohmann::json golden(const std::string& name) {
  return nlohmann::json::parse(read_file(test::parity_dir() / "metrics" / name));
}

using Texts = std::vector<std::string>;

TEST(MetricsParity, Squad11) {
  LLMCTL_NEEDS_PARITY("metrics/squad.json");
  const auto v1 = golden("squad.json").at("v1");
  AnswerTotals totals(AnswerMetric::kSquad);
  for (const auto& q : v1.at("questions")) {
    const AnswerScore score =
        totals.add(q.at("prediction").get<std::string>(), q.at("answers").get<Texts>());
    EXPECT_EQ(score.exact_match, q.at("em").get<double>()) << q;
    EXPECT_NEAR(score.f1, q.at("f1").get<double>(), kTolerance) << q;
  }
  EXPECT_NEAR(totals.scores().at("exact_match"), v1.at("exact_match").get<double>(), kTolerance);
  EXPECT_NEAR(totals.scores().at("f1"), v1.at("f1").get<double>(), kTolerance);
  EXPECT_EQ(totals.scores().at("total"), v1.at("total").get<double>());
}

TEST(MetricsParity, Squad20) {
  LLMCTL_NEEDS_PARITY("metrics/squad.json");
  const auto v2 = golden("squad.json").at("v2");
  AnswerTotals totals(AnswerMetric::kSquad);
  std::vector<ThresholdItem> exact, f1;
  for (const auto& q : v2.at("questions")) {
    const std::string prediction = q.at("prediction");
    const Texts answers = q.at("answers");
    const AnswerScore score = totals.add(prediction, answers);
    EXPECT_EQ(score.exact_match, q.at("em").get<double>()) << q;
    EXPECT_NEAR(score.f1, q.at("f1").get<double>(), kTolerance) << q;
    const ThresholdItem item{score.exact_match, q.at("na_prob"), !answers.empty(),
                             prediction.empty()};
    exact.push_back(item);
    f1.push_back(item);
    f1.back().score = score.f1;
  }
  const auto scores = totals.scores();
  for (auto [ours, theirs] : {std::pair{"exact_match", "exact"},
                              {"f1", "f1"},
                              {"has_answer.exact_match", "HasAns_exact"},
                              {"has_answer.f1", "HasAns_f1"},
                              {"has_answer.total", "HasAns_total"},
                              {"no_answer.exact_match", "NoAns_exact"},
                              {"no_answer.f1", "NoAns_f1"},
                              {"no_answer.total", "NoAns_total"}}) {
    EXPECT_NEAR(scores.at(ours), v2.at(theirs).get<double>(), kTolerance) << theirs;
  }
  EXPECT_NEAR(best_no_answer_threshold(exact).score, v2.at("best_exact").get<double>(), kTolerance);
  EXPECT_EQ(best_no_answer_threshold(exact).threshold, v2.at("best_exact_thresh").get<double>());
  EXPECT_NEAR(best_no_answer_threshold(f1).score, v2.at("best_f1").get<double>(), kTolerance);
  EXPECT_EQ(best_no_answer_threshold(f1).threshold, v2.at("best_f1_thresh").get<double>());
}

TEST(MetricsParity, Cmrc2018) {
  LLMCTL_NEEDS_PARITY("metrics/cmrc2018.json");
  const auto all = golden("cmrc2018.json");
  AnswerTotals totals(AnswerMetric::kCmrc2018);
  for (const auto& q : all.at("questions")) {
    const AnswerScore score =
        totals.add(q.at("prediction").get<std::string>(), q.at("answers").get<Texts>());
    EXPECT_EQ(score.exact_match, q.at("em").get<double>()) << q;
    EXPECT_NEAR(score.f1, q.at("f1").get<double>(), kTolerance) << q;
  }
  EXPECT_NEAR(totals.scores().at("exact_match"), all.at("EM").get<double>(), kTolerance);
  EXPECT_NEAR(totals.scores().at("f1"), all.at("F1").get<double>(), kTolerance);
}

TEST(MetricsParity, Classification) {
  LLMCTL_NEEDS_PARITY("metrics/classification.json");
  const auto all = golden("classification.json");
  for (const auto& set : all.at("sets")) {
    const std::size_t classes = set.at("classes");
    ConfusionMatrix matrix(classes);
    const std::vector<std::size_t> labels = set.at("labels"), predictions = set.at("predictions");
    for (std::size_t i = 0; i < labels.size(); ++i) matrix.add(labels[i], predictions[i]);
    EXPECT_NEAR(matrix.accuracy(), set.at("accuracy").get<double>(), kTolerance);
    EXPECT_NEAR(matrix.macro_f1(), set.at("macro").at("f1").get<double>(), kTolerance);
    EXPECT_NEAR(matrix.weighted_f1(), set.at("weighted").at("f1").get<double>(), kTolerance);
    const auto scores = matrix.per_class();
    const auto& per_class = set.at("per_class");
    for (std::size_t c = 0; c < classes; ++c) {
      EXPECT_NEAR(scores[c].precision, per_class.at("precision")[c].get<double>(), kTolerance);
      EXPECT_NEAR(scores[c].recall, per_class.at("recall")[c].get<double>(), kTolerance);
      EXPECT_NEAR(scores[c].f1, per_class.at("f1")[c].get<double>(), kTolerance);
      EXPECT_EQ(scores[c].support, per_class.at("support")[c].get<std::int64_t>());
      for (std::size_t p = 0; p < classes; ++p) {
        EXPECT_EQ(matrix.count(c, p),
                  set.at("confusion_matrix_rows_true")[c][p].get<std::int64_t>());
      }
    }
  }
}

TEST(MetricsParity, Perplexity) {
  LLMCTL_NEEDS_PARITY("metrics/perplexity.json");
  const auto all = golden("perplexity.json");
  for (const auto& run : all.at("runs")) {
    const double nats = run.at("nll_sum"), tokens = run.at("scored_tokens");
    const auto near = [](double ours, double theirs) { EXPECT_NEAR(ours / theirs, 1, kTolerance); };
    near(perplexity(nats, tokens), run.at("perplexity"));
    near(bits_per(nats, tokens), run.at("bits_per_token"));
    near(bits_per(nats, run.at("bytes").get<double>()), run.at("bits_per_byte"));
  }
}

}  // namespace
}  // namespace llmctl
