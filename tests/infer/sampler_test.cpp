#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
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

/// The tokens that top_k, then top_p keep, by sorting all of them.
std::vector<TokenId> kept_by_sorting(const std::vector<float>& logits, std::size_t top_k,
                                     double top_p) {
  std::vector<std::pair<double, TokenId>> all;  // (-weight, id): the likeliest first
  const float greatest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> sorted = logits;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const float limit = top_k > 0 && top_k < sorted.size() ? sorted[top_k - 1] : sorted.back();
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp(static_cast<double>(logits[i]) - greatest);
    if (logits[i] < limit || weight == 0) continue;
    all.emplace_back(-weight, i);
    total += weight;
  }
  std::sort(all.begin(), all.end());
  double dropped = 0;
  while (top_p < 1 && all.size() > 1 && dropped - all.back().first <= (1 - top_p) * total) {
    dropped -= all.back().first;
    all.pop_back();
  }
  std::vector<TokenId> ids;
  for (const auto& [weight, id] : all) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(Sampler, FiltersAsSortingDoes) {
  Random random(random_key(3, "test"));
  for (const std::size_t size : {1, 5, 63, 64, 200, 3000}) {
    for (const double spread : {0.0, 0.02, 1.0, 6.0}) {
      std::vector<float> logits(size);
      for (float& logit : logits) logit = static_cast<float>(spread * random.normal());
      for (std::size_t i = 0; i < size; ++i) {
        if (i % 7 == 3) logits[i] = -INFINITY;      // forbidden
        if (i % 5 == 4) logits[i] = logits[i - 4];  // a tie
      }
      for (const std::size_t top_k : {0, 1, 7, 40, 1000}) {
        for (const double top_p : {1.0, 0.999, 0.9, 0.3, 0.01}) {
          SamplingOptions options;
          options.top_k = static_cast<std::int64_t>(top_k);
          options.top_p = top_p;
          EXPECT_EQ(kept(options, logits), kept_by_sorting(logits, top_k, top_p))
              << size << " logits, spread " << spread << ", top_k " << top_k << ", top_p " << top_p;
        }
      }
      // A draw without filters is made from the weights of all.
      SamplingOptions options, filtered;
      options.do_sample = filtered.do_sample = true;
      options.top_k = filtered.top_k = 0;
      filtered.epsilon_cutoff = 1e-300;
      for (std::uint64_t draw = 0; draw < 20; ++draw) {
        Sampler a, b;
        EXPECT_EQ(a.choose(logits, options, {}, random_key(4, "test", draw)),
                  b.choose(logits, filtered, {}, random_key(4, "test", draw)));
      }
    }
  }
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

/// The logits that the options leave, as the logarithms of what would be drawn from, without the
/// common constant: that of id 0 is the given one.
std::vector<double> changed(const SamplingOptions& options, const std::vector<float>& logits,
                            const RowSoFar& row) {
  Sampler sampler;
  std::vector<double> result(logits.size(), -INFINITY);
  const auto& left = sampler.distribution(logits, options, row);
  for (const Candidate& c : left)
    result[static_cast<std::size_t>(c.id)] = std::log(c.probability / left.front().probability);
  for (double& value : result) value += logits[0];
  return result;
}

void expect_logits(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isinf(expected[i])) {
      EXPECT_EQ(got[i], expected[i]) << i;
    } else {
      EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
    }
  }
}

TEST(Sampler, BiasesWhatCompletesASequence) {
  SamplingOptions options;
  options.sequence_bias = {{{2}, 1.5f}, {{1, 3}, -2}, {{0, 1, 2}, 0.25f}, {{99}, 5}};
  const std::vector<float> logits = {1, 2, -1, 0.5};
  expect_logits(changed(options, logits, {}), {1, 2, 0.5, 0.5});
  expect_logits(changed(options, logits, {std::vector<TokenId>{1}, 0}), {1, 2, 0.5, -1.5});
  expect_logits(changed(options, logits, {std::vector<TokenId>{0, 1}, 1}), {1, 2, 0.75, -1.5});
  EXPECT_TRUE(Sampler::changes_logits(options, 0));
}

TEST(Sampler, PenalizesPresenceAndFrequencyInTheAnswerAlone) {
  SamplingOptions options;
  options.presence_penalty = 0.5;
  options.frequency_penalty = 0.25;
  const std::vector<float> logits = {1, 2, -1, 0.5};
  const std::vector<TokenId> seen = {0, 0, 2, 1, 2, 2, 99};
  expect_logits(changed(options, logits, {seen, 5}), {1, 2 - 0.75, -1 - 1.25, 0.5});
  expect_logits(changed(options, logits, {seen, 0}), {1, 2, -1, 0.5});
  options.frequency_penalty = 0;
  options.presence_penalty = -1;
  expect_logits(changed(options, logits, {seen, 3}), {1, 2, 0, 0.5});
  EXPECT_FALSE(Sampler::changes_logits(options, 0));
  EXPECT_TRUE(Sampler::changes_logits(options, 1));
}

TEST(Sampler, PenalizesRepetitionInTheAnswerAloneWhereAsked) {
  SamplingOptions options;
  options.repetition_penalty = 2;
  const std::vector<float> logits = {1, 2, -1, 0.5};
  const std::vector<TokenId> seen = {1, 3, 2, 2};
  expect_logits(changed(options, logits, {seen, 2}), {1, 1, -2, 0.25});
  options.repetition_in_answer = true;
  expect_logits(changed(options, logits, {seen, 2}), {1, 2, -2, 0.5});
}

TEST(Sampler, FavoursAndForbidsWhatWasRead) {
  const std::vector<float> logits = {1, 2, -1, 0.5};
  const std::vector<TokenId> seen = {3, 3, 2}, source = {1, 2, 1, 3};
  SamplingOptions options;
  options.encoder_repetition_penalty = 2;
  expect_logits(changed(options, logits, {seen, 1, source}), {1, 4, -0.5, 1});
  expect_logits(changed(options, logits, {seen, 1}), {1, 2, -1, 1});  // the prompt
  EXPECT_TRUE(Sampler::changes_logits(options, 0));
  options = {};
  options.encoder_no_repeat_ngram_size = 2;
  expect_logits(changed(options, logits, {seen, 1, source}), {1, -INFINITY, -1, 0.5});
  expect_logits(changed(options, logits, {std::vector<TokenId>{3, 3}, 0}), {1, 2, -1, -INFINITY});
  options.encoder_no_repeat_ngram_size = 1;
  expect_logits(changed(options, logits, {seen, 1, source}), {1, -INFINITY, -INFINITY, -INFINITY});
  EXPECT_TRUE(Sampler::changes_logits(options, 0));
}

TEST(Sampler, FavoursTheEndsOfLongAnswers) {
  SamplingOptions options;
  options.exponential_decay_length_penalty = {2, 1.5};
  options.eos_token_ids = {1, 2};
  const std::vector<float> logits = {1, 2, -1, 0.5};
  expect_logits(changed(options, logits, {std::vector<TokenId>(5), 2}), {1, 2, -1, 0.5});
  expect_logits(changed(options, logits, {std::vector<TokenId>(5), 4}),
                {1, 2 + 2 * 1.25, -1 + 1.25, 0.5});
  EXPECT_FALSE(Sampler::changes_logits(options, 2));
  EXPECT_TRUE(Sampler::changes_logits(options, 3));
  // What is impossible stays so.
  options.min_new_tokens = 9;
  expect_logits(changed(options, logits, {std::vector<TokenId>(5), 4}),
                {1, -INFINITY, -INFINITY, 0.5});
}

TEST(Sampler, SuppressesTheBeginningBehindAForcedToken) {
  SamplingOptions options;
  options.forced_bos_token_ids = {3};
  options.begin_suppress_tokens = {3, 1};
  const std::vector<float> logits = {1, 2, -1, 0.5};
  Sampler sampler;
  EXPECT_EQ(sampler.choose(logits, options, {std::vector<TokenId>{0}, 0}, {}), 3);
  EXPECT_EQ(sampler.choose(logits, options, {std::vector<TokenId>{0, 3}, 1}, {}), 0);
  EXPECT_EQ(sampler.choose(logits, options, {std::vector<TokenId>{0, 3, 0}, 2}, {}), 1);
  EXPECT_TRUE(Sampler::changes_logits(options, 1));
  EXPECT_FALSE(Sampler::changes_logits(options, 2));
}

/// Pearson's statistic of many draws against the exact distribution, as a multiple of what one
/// seed in ten thousand is beyond (by Wilson and Hilferty's approximation). Tokens that are
/// expected less than five times are one class.
double surprise(const SamplingOptions& options, const std::vector<float>& logits, int draws) {
  Sampler sampler;
  const std::vector<TokenId> seen = {1, 2, 3};
  const std::vector<Candidate> expected = sampler.distribution(logits, options, {seen, 1});
  std::map<TokenId, int> counts;
  for (int i = 0; i < draws; ++i) {
    const RandomKey key = random_key(options.seed, "sampling", 7, static_cast<std::uint64_t>(i));
    ++counts[sampler.choose(logits, options, {seen, 1}, key)];
  }
  double statistic = 0, rest = 0, rest_seen = draws;
  int classes = 0;
  const auto add = [&](double mean, double count) {
    statistic += (count - mean) * (count - mean) / mean;
    ++classes;
  };
  for (const Candidate& candidate : expected) {
    const double mean = draws * candidate.probability;
    if (mean < 5) {
      rest += mean;
      continue;
    }
    add(mean, counts[candidate.id]);
    rest_seen -= counts[candidate.id];
  }
  if (rest >= 5) {
    add(rest, rest_seen);
  } else {
    EXPECT_LE(rest_seen, 20);
  }
  const double freedom = std::max(classes - 1, 1), part = 2 / (9 * freedom);
  return statistic / (freedom * std::pow(1 - part + 3.719 * std::sqrt(part), 3));
}

TEST(Sampler, DrawsManyFromTheExactDistribution) {
  std::vector<float> logits(500);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(
        3 * Random(random_key(5, "logits", static_cast<std::uint64_t>(i))).normal());
  }
  int settings = 0;
  for (const double temperature : {0.3, 0.7, 1.0, 1.5}) {
    for (const std::int64_t top_k : {0, 1, 10, 50}) {
      for (const double top_p : {1.0, 0.9, 0.5}) {
        SamplingOptions options;
        options.do_sample = true;
        options.temperature = temperature;
        options.top_k = top_k;
        options.top_p = top_p;
        options.repetition_penalty = 1.3;
        options.seed = static_cast<std::uint64_t>(++settings);
        EXPECT_LT(surprise(options, logits, 10'000), 1)
            << "temperature " << temperature << ", top_k " << top_k << ", top_p " << top_p;
      }
    }
  }
  for (const char* const filter : {"min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}) {
    SamplingOptions options;
    options.do_sample = true;
    const std::string name = filter;
    if (name == "min_p") options.min_p = 0.05;
    if (name == "typical_p") options.typical_p = 0.8;
    if (name == "epsilon_cutoff") options.epsilon_cutoff = 0.01;
    if (name == "eta_cutoff") options.eta_cutoff = 0.01;
    EXPECT_LT(surprise(options, logits, 20'000), 1) << filter;
  }
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
