#include "infer/beam_chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/random.h"
#include "infer/chooser_driver.h"
#include "support/expect_error.h"

namespace llmctl::test {
namespace {

constexpr int kVocabulary = 12;
constexpr TokenId kEos = 3;

/// Logits by the last two tokens.
std::vector<float> trigrams(const std::vector<TokenId>& text) {
  const auto last = static_cast<std::uint64_t>(text.back());
  const auto before = static_cast<std::uint64_t>(text.size() > 1 ? text[text.size() - 2] : 0);
  Random random(random_key(5, "test", last, before));
  std::vector<float> logits(kVocabulary);
  for (float& logit : logits) logit = static_cast<float>(2 * random.normal());
  return logits;
}

double log_probability(const std::vector<TokenId>& text, TokenId next) {
  const std::vector<float> logits = trigrams(text);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return logits[static_cast<std::size_t>(next)] - std::log(sum);
}

/// Of the answer and, where it ended so, the eos token, over length to the power of `penalty`.
double score_of(const std::vector<TokenId>& prompt, const GeneratedTokens& answer, double penalty) {
  std::vector<TokenId> text = prompt, rest = answer.ids;
  if (answer.reason == FinishReason::kStop) rest.push_back(kEos);
  double sum = 0;
  for (const TokenId id : rest) {
    sum += log_probability(text, id);
    text.push_back(id);
  }
  return sum / std::pow(static_cast<double>(rest.size()), penalty);
}

GenerationRequest request(std::int64_t beams, std::int64_t max_new_tokens) {
  GenerationRequest request;
  request.prompt = {1, 2};
  request.samples = beams;
  request.options.max_new_tokens = max_new_tokens;
  request.options.eos_token_ids = {kEos};
  request.options.beams.num_beams = beams;
  return request;
}

bool contains(const std::vector<TokenId>& text, const std::vector<TokenId>& word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end()) != text.end();
}

TEST(BeamChooser, WithEnoughBeamsFindsTheBestTexts) {
  GenerationRequest asked = request(400, 3);
  asked.options.beams.length_penalty = 0;
  asked.options.beams.early_stopping = EarlyStopping::kNever;
  const auto answers = drive(asked, trigrams);
  // Every text of up to three tokens, by hand.
  std::vector<std::pair<double, std::vector<TokenId>>> all;
  const auto visit = [&](auto&& self, std::vector<TokenId> text, double sum) -> void {
    for (TokenId id = 0; id < kVocabulary; ++id) {
      const double score = sum + log_probability(text, id);
      std::vector<TokenId> longer = text;
      if (id != kEos) longer.push_back(id);
      if (id == kEos || longer.size() == 5) {
        all.emplace_back(score, std::vector<TokenId>(longer.begin() + 2, longer.end()));
      } else {
        self(self, longer, score);
      }
    }
  };
  visit(visit, asked.prompt, 0);
  std::sort(all.begin(), all.end(), std::greater<>());
  ASSERT_EQ(answers.size(), 400u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(*answers[i].score, all[i].first, 1e-5);
    EXPECT_EQ(answers[i].ids, all[i].second) << i;
  }
}

TEST(BeamChooser, ScoresAreSumsOverLengthToAPower) {
  for (const double penalty : {0.0, 0.6, 1.0, 2.0}) {
    GenerationRequest asked = request(5, 12);
    asked.options.beams.length_penalty = penalty;
    asked.logprobs = 2;
    double before = std::numeric_limits<double>::infinity();
    const auto answers = drive(asked, trigrams);
    ASSERT_EQ(answers.size(), 5u);
    for (const GeneratedTokens& answer : answers) {
      EXPECT_NEAR(*answer.score, score_of(asked.prompt, answer, penalty), 1e-5);
      EXPECT_LE(*answer.score, before);
      before = *answer.score;
      ASSERT_EQ(answer.logprobs.size(), answer.ids.size());
      ASSERT_EQ(answer.top_logprobs.size(), answer.ids.size());
      std::vector<TokenId> text = asked.prompt;
      for (std::size_t i = 0; i < answer.ids.size(); ++i) {
        EXPECT_NEAR(answer.logprobs[i], log_probability(text, answer.ids[i]), 1e-5);
        EXPECT_EQ(answer.top_logprobs[i].size(), 2u);
        text.push_back(answer.ids[i]);
      }
    }
    EXPECT_EQ(std::set<std::vector<TokenId>>(
                  {answers[0].ids, answers[1].ids, answers[2].ids, answers[3].ids, answers[4].ids})
                  .size(),
              5u);
  }
}

TEST(BeamChooser, ReturnsAsManyAsAskedFor) {
  GenerationRequest asked = request(4, 10);
  const auto all = drive(asked, trigrams);
  asked.samples = 2;
  const auto two = drive(asked, trigrams);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].ids, all[0].ids);
  EXPECT_EQ(two[1].ids, all[1].ids);
}

TEST(BeamChooser, EarlyStoppingTakesFewerSteps) {
  GenerationRequest asked = request(3, 60);
  std::map<EarlyStopping, DriverCounts> counts;
  std::map<EarlyStopping, double> best;
  for (const auto early : {EarlyStopping::kYes, EarlyStopping::kNo, EarlyStopping::kNever}) {
    asked.options.beams.early_stopping = early;
    best[early] = *drive(asked, trigrams, {}, &counts[early])[0].score;
  }
  EXPECT_LE(counts[EarlyStopping::kYes].steps, counts[EarlyStopping::kNo].steps);
  EXPECT_LT(counts[EarlyStopping::kNo].steps, counts[EarlyStopping::kNever].steps);
  EXPECT_LE(best[EarlyStopping::kYes], best[EarlyStopping::kNo]);
  EXPECT_LE(best[EarlyStopping::kNo], best[EarlyStopping::kNever]);
}

TEST(BeamChooser, FewPossibleTokensMeanFewerBeams) {
  const auto narrow = [](const std::vector<TokenId>&) {
    std::vector<float> logits(kVocabulary, -std::numeric_limits<float>::infinity());
    logits[5] = 1;
    return logits;
  };
  GenerationRequest asked = request(4, 6);
  DriverCounts counts;
  const auto answers = drive(asked, narrow, {}, &counts);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].ids, std::vector<TokenId>(6, 5));
  EXPECT_EQ(counts.rows, 6);
  asked.options.suppress_tokens = {5};
  expect_error(ErrorCode::kData, testing::HasSubstr("no token possible"),
               [&] { drive(asked, narrow); });
}

TEST(BeamChooser, OptionsThatForbidActAsTheProcessorsDo) {
  // The short way, which leaves the logits where they are, and the long one, taken because of a
  // penalty that changes nothing measurable.
  for (const bool renormalize : {false, true}) {
    GenerationRequest asked = request(4, 12);
    asked.options.min_new_tokens = 5;
    asked.options.suppress_tokens = {4, 99};
    asked.options.bad_words_ids = {{8}, {2, 6}, {1, 1, 7}, {77}};
    asked.options.beams.renormalize_logits = renormalize;
    const auto quick = drive(asked, trigrams);
    asked.options.repetition_penalty = 1 + 1e-9;
    const auto slow = drive(asked, trigrams);
    ASSERT_EQ(quick.size(), 4u);
    for (std::size_t i = 0; i < quick.size(); ++i) {
      EXPECT_EQ(quick[i].ids, slow[i].ids);
      EXPECT_NEAR(*quick[i].score, *slow[i].score, 1e-5);
      EXPECT_GE(quick[i].ids.size(), 5u);
      for (const TokenId id : {4, 8}) EXPECT_FALSE(contains(quick[i].ids, {id}));
      EXPECT_FALSE(contains(quick[i].ids, {2, 6}));
    }
  }
}

TEST(BeamChooser, StopStringsEndTexts) {
  GenerationRequest asked = request(3, 10);
  asked.options.eos_token_ids.clear();
  ChooserEvents events;
  events.complete = [](std::span<const TokenId> answer) {
    return answer.size() > 2 && answer.back() % 4 == 1;
  };
  std::vector<std::vector<TokenId>> told(3);
  std::vector<std::size_t> ended;
  events.token = [&](std::size_t sample, TokenId id) {
    told.at(sample).push_back(id);
    return false;
  };
  events.end = [&](std::size_t sample, const GeneratedTokens&) { ended.push_back(sample); };
  const auto answers = drive(asked, trigrams, events);
  ASSERT_EQ(answers.size(), 3u);
  int stopped = 0;
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_EQ(told[s], answers[s].ids);
    if (answers[s].reason != FinishReason::kStop) continue;
    ++stopped;
    EXPECT_EQ(answers[s].ids.back() % 4, 1);
  }
  EXPECT_GT(stopped, 0);
  EXPECT_EQ(ended, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(BeamChooser, GroupsPayForTakingTheSameTokens) {
  GenerationRequest asked = request(4, 8);
  asked.options.beams.num_beam_groups = 4;
  const auto distinct = [&](double penalty) {
    asked.options.beams.diversity_penalty = penalty;
    std::set<TokenId> firsts;
    for (const GeneratedTokens& answer : drive(asked, trigrams)) {
      firsts.insert(answer.ids.empty() ? kEos : answer.ids.front());
    }
    return firsts.size();
  };
  EXPECT_EQ(distinct(0), 1u) << "without a penalty every group finds the same";
  EXPECT_EQ(distinct(100), 4u);
}

TEST(BeamChooser, DrawsByTheSeedAlone) {
  GenerationRequest asked = request(4, 10);
  asked.options.do_sample = true;
  asked.options.top_k = 8;
  asked.options.temperature = 1.5;
  std::set<std::vector<TokenId>> texts;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    asked.options.seed = seed;
    const auto one = drive(asked, trigrams), again = drive(asked, trigrams);
    ASSERT_EQ(one.size(), again.size());
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].ids, again[i].ids);
    texts.insert(one[0].ids);
  }
  EXPECT_GT(texts.size(), 3u);
}

TEST(BeamChooser, EveryTextHasTheMandatoryWords) {
  std::int64_t searches = 0;
  for (TokenId a = 4; a < kVocabulary; ++a) {
    for (const std::int64_t beams : {1, 2, 5}) {
      GenerationRequest asked = request(beams, 9);
      const std::vector<TokenId> one = {a, static_cast<TokenId>((a + 3) % kVocabulary)},
                                 other = {5, 6, a}, third = {static_cast<TokenId>(11 - a + 4)};
      if (contains(one, {kEos})) continue;
      asked.options.beams.force_words_ids = {{one}, {other, third}};
      for (const GeneratedTokens& answer : drive(asked, trigrams)) {
        EXPECT_TRUE(contains(answer.ids, one)) << a << ", " << beams;
        EXPECT_TRUE(contains(answer.ids, other) || contains(answer.ids, third))
            << a << ", " << beams;
        EXPECT_LE(answer.ids.size(), 9u);
        ++searches;
      }
      // No more room than the words need, the last place taken by a forced end.
      asked.options.beams.force_words_ids = {{{5, 6, 7}}, {{8, 9}}};
      asked.options.max_new_tokens = 6;
      asked.options.forced_eos_token_ids = {kEos};
      for (const GeneratedTokens& answer : drive(asked, trigrams)) {
        EXPECT_TRUE(contains(answer.ids, {5, 6, 7}) && contains(answer.ids, {8, 9}));
      }
    }
  }
  EXPECT_GT(searches, 40);
}

TEST(BeamChooser, WordsThatDoNotFitLeaveOtherTexts) {
  GenerationRequest asked = request(3, 3);
  asked.options.beams.force_words_ids = {{{5, 6, 7, 8}}};
  const auto answers = drive(asked, trigrams);
  EXPECT_FALSE(answers.empty());
  EXPECT_LE(answers[0].ids.size(), 3u);
}

TEST(BeamChooser, RefusesLogitsThatAreNotFinite) {
  GenerationRequest asked = request(2, 3);
  asked.number = 7;
  expect_error(ErrorCode::kInternal, testing::HasSubstr("prompt 7, token 3"), [&] {
    drive(asked, [](const std::vector<TokenId>&) {
      return std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 0};
    });
  });
}

}  // namespace
}  // namespace llmctl::test
