#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

namespace llmctl::test {
namespace {

const std::vector<TokenId> kStop = {3};

std::vector<TokenId> kept(const SamplingOptions& options, const std::vector<float>& logits,
                          const std::vector<TokenId>& seen = {}, std::int64_t new_tokens = 10) {
  Sampler sampler;
  std::vector<TokenId> ids;
  double total = 0;
  for (const Candidate& candidate : sampler.distribution(logits, options, {seen, new_tokens})) {
    ids.push_back(candidate.id);
    total += candidate.probability;
  }
  EXPECT_NEAR(total, 1, 1e-9);
  return ids;
}

TEST(Argmax, TakesTheLowestIdAmongEquals) {
  EXPECT_EQ(argmax(std::vector<float>{1, 5, 2, 5}), 1);
  EXPECT_EQ(argmax(std::vector<float>{-3, -2}), 1);
  EXPECT_EQ(argmax(std::vector<float>{NAN, 1, NAN}), 1);
  EXPECT_EQ(argmax(std::vector<float>{NAN, -INFINITY}), -1);
}

TEST(Sampler, KeepsTheBestK) {
  SamplingOptions options;
  options.top_k = 2;
  EXPECT_EQ(kept(options, {1, 4, 2, 3}), (std::vector<TokenId>{1, 3}));
  EXPECT_EQ(kept(options, {1, 4, 3, 3}), (std::vector<TokenId>{1, 2, 3}));  // a tie at the limit
  options.top_k = 100;
  EXPECT_EQ(kept(options, {1, 4, 2, 3}).size(), 4u);
  options.top_k = 0;
  EXPECT_EQ(kept(options, {1, 4, 2, 3}).size(), 4u);
}

TEST(Sampler, KeepsTheFewestThatReachP) {
  SamplingOptions options;
  const std::vector<float> logits = {std::log(0.1f), std::log(0.5f), std::log(0.15f),
                                     std::log(0.25f)};
  options.top_p = 0.7;
  EXPECT_EQ(kept(options, logits), (std::vector<TokenId>{1, 3}));
  options.top_p = 0.8;
  EXPECT_EQ(kept(options, logits), (std::vector<TokenId>{1, 2, 3}));
  options.top_p = 0.01;
  EXPECT_EQ(kept(options, logits), (std::vector<TokenId>{1}));
  options.top_p = 1e-6;
  EXPECT_EQ(kept(options, std::vector<float>(1000, 0.0f)).size(), 1u);
  options.top_p = 1;
  EXPECT_EQ(kept(options, logits).size(), 4u);
}

TEST(Sampler, AppliesTopPToWhatTopKLeft) {
  SamplingOptions options;
  options.top_k = 2;
  options.top_p = 0.6;  // of 0.5 and 0.25, the first alone has two thirds
  EXPECT_EQ(kept(options, {std::log(0.1f), std::log(0.5f), std::log(0.15f), std::log(0.25f)}),
            (std::vector<TokenId>{1}));
}

TEST(Sampler, ForbidsStopTokensAtFirst) {
  SamplingOptions options;
  options.min_new_tokens = 2;
  options.eos_token_ids = kStop;
  const std::vector<float> logits = {0, 1, 2, 9};
  Sampler sampler;
  EXPECT_EQ(sampler.choose(logits, options, {{}, 0}, {}), 2);
  EXPECT_EQ(sampler.choose(logits, options, {{}, 1}, {}), 2);
  EXPECT_EQ(sampler.choose(logits, options, {{}, 2}, {}), 3);
  EXPECT_TRUE(Sampler::changes_logits(options, 1));
  EXPECT_FALSE(Sampler::changes_logits(options, 2));
}

TEST(Sampler, NeverCompletesBadWords) {
  SamplingOptions options;
  options.bad_words_ids = {{2}, {0, 1}};
  EXPECT_EQ(kept(options, {0, 0, 0, 0}), (std::vector<TokenId>{0, 1, 3}));
  EXPECT_EQ(kept(options, {0, 0, 0, 0}, {3, 0}), (std::vector<TokenId>{0, 3}));
  EXPECT_EQ(kept(options, {0, 0, 0, 0}, {0, 3}), (std::vector<TokenId>{0, 1, 3}));
  Sampler sampler;
  EXPECT_TRUE(Sampler::changes_logits(options, 10));
  EXPECT_EQ(
      sampler.choose(std::vector<float>{1, 5, 9, 2}, options, {std::vector<TokenId>{0}, 1}, {}), 3);
  EXPECT_EQ(
      sampler.choose(std::vector<float>{1, 5, 9, 2}, options, {std::vector<TokenId>{1}, 1}, {}), 1);
  options.bad_words_ids = {{99}};  // of no such vocabulary
  EXPECT_EQ(kept(options, {0, 0, 0, 0}).size(), 4u);
}

TEST(Sampler, ForcesTheLastTokenOfTheLongestText) {
  SamplingOptions options;
  options.forced_eos_token_ids = {3};
  options.max_new_tokens = 4;
  const std::vector<float> logits = {0, 9, 2, -5};
  Sampler sampler;
  EXPECT_EQ(sampler.choose(logits, options, {{}, 2}, {}), 1);
  EXPECT_EQ(sampler.choose(logits, options, {{}, 3}, {}), 3);
  EXPECT_FALSE(Sampler::changes_logits(options, 2));
  EXPECT_TRUE(Sampler::changes_logits(options, 3));
  options.max_new_tokens = 5;
  EXPECT_EQ(sampler.choose(logits, options, {{}, 3}, {}), 1);
}

TEST(Sampler, ForcesAndSuppressesTheFirstToken) {
  const std::vector<float> logits = {0, 9, 2, -5};
  Sampler sampler;
  SamplingOptions options;
  options.forced_bos_token_ids = {3};
  EXPECT_TRUE(Sampler::changes_logits(options, 0));
  EXPECT_FALSE(Sampler::changes_logits(options, 1));
  EXPECT_EQ(sampler.choose(logits, options, {{}, 0}, {}), 3);
  EXPECT_EQ(sampler.choose(logits, options, {{}, 1}, {}), 1);
  options = {};
  options.begin_suppress_tokens = {1, 77};
  EXPECT_TRUE(Sampler::changes_logits(options, 0));
  EXPECT_FALSE(Sampler::changes_logits(options, 1));
  EXPECT_EQ(sampler.choose(logits, options, {{}, 0}, {}), 2);
  EXPECT_EQ(sampler.choose(logits, options, {{}, 1}, {}), 1);
  options = {};
  options.suppress_tokens = {1};
  EXPECT_TRUE(Sampler::changes_logits(options, 7));
  EXPECT_EQ(sampler.choose(logits, options, {{}, 7}, {}), 2);
}

TEST(Sampler, RepeatsNoSequence) {
  SamplingOptions options;
  const std::vector<float> logits = {0, 0, 0, 0};
  options.no_repeat_ngram_size = 2;
  EXPECT_TRUE(Sampler::changes_logits(options, 7));
  EXPECT_EQ(kept(options, logits, {}), (std::vector<TokenId>{0, 1, 2, 3}));
  EXPECT_EQ(kept(options, logits, {1}), (std::vector<TokenId>{0, 1, 2, 3}));
  EXPECT_EQ(kept(options, logits, {1, 2, 1, 0, 1}), (std::vector<TokenId>{1, 3}));
  options.no_repeat_ngram_size = 1;
  EXPECT_EQ(kept(options, logits, {1, 2}), (std::vector<TokenId>{0, 3}));
  options.no_repeat_ngram_size = 3;
  EXPECT_EQ(kept(options, logits, {1, 2, 3, 1, 2}), (std::vector<TokenId>{0, 1, 2}));
  EXPECT_EQ(kept(options, logits, {1, 2}), (std::vector<TokenId>{0, 1, 2, 3}));
}

TEST(Sampler, ExtremeSettingsLeaveTheBestToken) {
  SamplingOptions options;
  options.top_p = 0;
  EXPECT_EQ(kept(options, {1, 4, 2, 4}), (std::vector<TokenId>{1}));
  EXPECT_EQ(kept(options, std::vector<float>(100, 0.0f)), (std::vector<TokenId>{0}));
  options = {};
  for (const double temperature : {1e-6, 1e-40, 1e-300}) {
    options.temperature = temperature;
    EXPECT_EQ(kept(options, {1, 4, 2, 3}), (std::vector<TokenId>{1})) << temperature;
    EXPECT_EQ(kept(options, {-1e30f, -2e30f}), (std::vector<TokenId>{0})) << temperature;
  }
  options = {};
  options.epsilon_cutoff = 0.9;
  EXPECT_EQ(kept(options, {1, 4, 2, 3}), (std::vector<TokenId>{1}));
  options = {};
  options.min_p = 1;
  EXPECT_EQ(kept(options, {1, 4, 2, 3}), (std::vector<TokenId>{1}));
}

TEST(Sampler, PenalizesEachSeenTokenOnce) {
  SamplingOptions options;
  options.repetition_penalty = 2;
  Sampler sampler;
  EXPECT_EQ(
      sampler.choose(std::vector<float>{4, 3, 1}, options, {std::vector<TokenId>{0, 0, 0}, 1}, {}),
      1);
  // A negative logit becomes more so; ids outside the vocabulary are nobody's.
  EXPECT_EQ(sampler.choose(std::vector<float>{-1, -1.5, -9}, options,
                           {std::vector<TokenId>{0, 77}, 1}, {}),
            1);
  EXPECT_EQ(sampler.choose(std::vector<float>{4, 1, 1}, options, {std::vector<TokenId>{0}, 1}, {}),
            0);
}

TEST(Sampler, DrawsAsTheProbabilitiesSay) {
  SamplingOptions options;
  options.do_sample = true;
  options.temperature = 0.5;
  const std::vector<float> logits = {0.5, 0, 1, -0.5, 0.25};
  std::vector<double> expected;
  for (const float logit : logits) expected.push_back(std::exp(2 * logit));
  const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
  Sampler sampler;
  std::vector<double> seen(5);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const RandomKey key = random_key(1, "sampling", 0, static_cast<std::uint64_t>(i));
    ++seen[static_cast<std::size_t>(sampler.choose(logits, options, {{}, 1}, key))];
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double mean = kDraws * expected[i] / total;
    chi_square += (seen[i] - mean) * (seen[i] - mean) / mean;
  }
  EXPECT_LT(chi_square, 18.5);  // 4 degrees of freedom: one seed in a thousand is beyond
}

TEST(Sampler, DrawsByTheKeyAlone) {
  SamplingOptions options;
  options.do_sample = true;
  std::vector<float> logits(50);
  std::iota(logits.begin(), logits.end(), 0.0f);
  for (float& logit : logits) logit = std::sin(logit);
  Sampler one, other;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const RandomKey key = random_key(1, "sampling", i);
    EXPECT_EQ(one.choose(logits, options, {{}, 1}, key),
              other.choose(logits, options, {{}, 1}, key));
    other.choose(logits, options, {{}, 1}, random_key(2, "other", i));
  }
}

TEST(Sampler, ReportsThatNothingIsPossible) {
  SamplingOptions options;
  Sampler sampler;
  EXPECT_EQ(sampler.choose(std::vector<float>{NAN, NAN}, options, {{}, 1}, {}), -1);
}

}  // namespace
}  // namespace llmctl::test
