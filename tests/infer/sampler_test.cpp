#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

namespace llmctl::test {
namespace {

const std::vector<std::int64_t> kStop = {3};

std::vector<TokenId> kept(const GenerationConfig& config, const std::vector<float>& logits,
                          const std::vector<TokenId>& seen = {}, std::int64_t new_tokens = 10) {
  Sampler sampler(config, kStop);
  std::vector<TokenId> ids;
  double total = 0;
  for (const Candidate& candidate : sampler.distribution(logits, seen, new_tokens)) {
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
  GenerationConfig config;
  config.top_k = 2;
  EXPECT_EQ(kept(config, {1, 4, 2, 3}), (std::vector<TokenId>{1, 3}));
  EXPECT_EQ(kept(config, {1, 4, 3, 3}), (std::vector<TokenId>{1, 2, 3}));  // a tie at the limit
  config.top_k = 100;
  EXPECT_EQ(kept(config, {1, 4, 2, 3}).size(), 4u);
  config.top_k = 0;
  EXPECT_EQ(kept(config, {1, 4, 2, 3}).size(), 4u);
}

TEST(Sampler, KeepsTheFewestThatReachP) {
  GenerationConfig config;
  const std::vector<float> logits = {std::log(0.1f), std::log(0.5f), std::log(0.15f),
                                     std::log(0.25f)};
  config.top_p = 0.7;
  EXPECT_EQ(kept(config, logits), (std::vector<TokenId>{1, 3}));
  config.top_p = 0.8;
  EXPECT_EQ(kept(config, logits), (std::vector<TokenId>{1, 2, 3}));
  config.top_p = 0.01;
  EXPECT_EQ(kept(config, logits), (std::vector<TokenId>{1}));
  config.top_p = 1e-6;
  EXPECT_EQ(kept(config, std::vector<float>(1000, 0.0f)).size(), 1u);
  config.top_p = 1;
  EXPECT_EQ(kept(config, logits).size(), 4u);
}

TEST(Sampler, AppliesTopPToWhatTopKLeft) {
  GenerationConfig config;
  config.top_k = 2;
  config.top_p = 0.6;  // of 0.5 and 0.25, the first alone has two thirds
  EXPECT_EQ(kept(config, {std::log(0.1f), std::log(0.5f), std::log(0.15f), std::log(0.25f)}),
            (std::vector<TokenId>{1}));
}

TEST(Sampler, ForbidsStopTokensAtFirst) {
  GenerationConfig config;
  config.min_new_tokens = 2;
  const std::vector<float> logits = {0, 1, 2, 9};
  Sampler sampler(config, kStop);
  EXPECT_EQ(sampler.choose(logits, {}, 0, {}), 2);
  EXPECT_EQ(sampler.choose(logits, {}, 1, {}), 2);
  EXPECT_EQ(sampler.choose(logits, {}, 2, {}), 3);
  EXPECT_TRUE(sampler.changes_logits(1));
  EXPECT_FALSE(sampler.changes_logits(2));
}

TEST(Sampler, NeverCompletesBadWords) {
  GenerationConfig config;
  config.bad_words_ids = {{2}, {0, 1}};
  EXPECT_EQ(kept(config, {0, 0, 0, 0}), (std::vector<TokenId>{0, 1, 3}));
  EXPECT_EQ(kept(config, {0, 0, 0, 0}, {3, 0}), (std::vector<TokenId>{0, 3}));
  EXPECT_EQ(kept(config, {0, 0, 0, 0}, {0, 3}), (std::vector<TokenId>{0, 1, 3}));
  Sampler sampler(config, kStop);
  EXPECT_TRUE(sampler.changes_logits(10));
  EXPECT_EQ(sampler.choose(std::vector<float>{1, 5, 9, 2}, std::vector<TokenId>{0}, 1, {}), 3);
  EXPECT_EQ(sampler.choose(std::vector<float>{1, 5, 9, 2}, std::vector<TokenId>{1}, 1, {}), 1);
  config.bad_words_ids = {{99}};  // of no such vocabulary
  EXPECT_EQ(kept(config, {0, 0, 0, 0}).size(), 4u);
}

TEST(Sampler, ForcesTheLastTokenOfTheLongestText) {
  GenerationConfig config;
  config.forced_eos_token_id = {3};
  const std::vector<float> logits = {0, 9, 2, -5};
  Sampler sampler(config, kStop, 4);
  EXPECT_EQ(sampler.choose(logits, {}, 2, {}), 1);
  EXPECT_EQ(sampler.choose(logits, {}, 3, {}), 3);
  EXPECT_FALSE(sampler.changes_logits(2));
  EXPECT_TRUE(sampler.changes_logits(3));
  Sampler endless(config, kStop);
  EXPECT_EQ(endless.choose(logits, {}, 3, {}), 1);
}

TEST(Sampler, PenalizesEachSeenTokenOnce) {
  GenerationConfig config;
  config.repetition_penalty = 2;
  Sampler sampler(config, {});
  EXPECT_EQ(sampler.choose(std::vector<float>{4, 3, 1}, std::vector<TokenId>{0, 0, 0}, 1, {}), 1);
  // A negative logit becomes more so; ids outside the vocabulary are nobody's.
  EXPECT_EQ(sampler.choose(std::vector<float>{-1, -1.5, -9}, std::vector<TokenId>{0, 77}, 1, {}),
            1);
  EXPECT_EQ(sampler.choose(std::vector<float>{4, 1, 1}, std::vector<TokenId>{0}, 1, {}), 0);
}

TEST(Sampler, DrawsAsTheProbabilitiesSay) {
  GenerationConfig config;
  config.do_sample = true;
  config.temperature = 0.5;
  const std::vector<float> logits = {0.5, 0, 1, -0.5, 0.25};
  std::vector<double> expected;
  for (const float logit : logits) expected.push_back(std::exp(2 * logit));
  const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
  Sampler sampler(config, {});
  std::vector<double> seen(5);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const RandomKey key = random_key(1, "sampling", 0, static_cast<std::uint64_t>(i));
    ++seen[static_cast<std::size_t>(sampler.choose(logits, {}, 1, key))];
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double mean = kDraws * expected[i] / total;
    chi_square += (seen[i] - mean) * (seen[i] - mean) / mean;
  }
  EXPECT_LT(chi_square, 18.5);  // 4 degrees of freedom: one seed in a thousand is beyond
}

TEST(Sampler, DrawsByTheKeyAlone) {
  GenerationConfig config;
  config.do_sample = true;
  std::vector<float> logits(50);
  std::iota(logits.begin(), logits.end(), 0.0f);
  for (float& logit : logits) logit = std::sin(logit);
  Sampler one(config, {}), other(config, {});
  for (std::uint64_t i = 0; i < 50; ++i) {
    const RandomKey key = random_key(1, "sampling", i);
    EXPECT_EQ(one.choose(logits, {}, 1, key), other.choose(logits, {}, 1, key));
    other.choose(logits, {}, 1, random_key(2, "other", i));
  }
}

TEST(Sampler, ReportsThatNothingIsPossible) {
  GenerationConfig config;
  Sampler sampler(config, {});
  EXPECT_EQ(sampler.choose(std::vector<float>{NAN, NAN}, {}, 1, {}), -1);
}

}  // namespace
}  // namespace llmctl::test
