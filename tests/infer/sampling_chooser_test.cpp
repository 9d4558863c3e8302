#include "infer/sampling_chooser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "infer/chooser_driver.h"
#include "infer/sampler.h"
#include "support/expect_error.h"

namespace llmctl::test {
namespace {

/// Logits by the last two tokens, so that texts repeat themselves now and then.
std::vector<float> trigrams(const std::vector<TokenId>& text) {
  const auto last = static_cast<std::uint64_t>(text.back());
  const auto before = static_cast<std::uint64_t>(text.size() > 1 ? text[text.size() - 2] : 0);
  Random random(random_key(5, "test", last, before));
  std::vector<float> logits(12);
  for (float& logit : logits) logit = static_cast<float>(2 * random.normal());
  return logits;
}

GenerationRequest request(std::vector<TokenId> prompt, std::int64_t max_new_tokens) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.options.max_new_tokens = max_new_tokens;
  return request;
}

TEST(SamplingChooser, TakesTheBestTokenOfEachStep) {
  const GenerationRequest asked = request({1, 2}, 20);
  std::vector<TokenId> text = asked.prompt;
  for (int i = 0; i < 20; ++i) text.push_back(argmax(trigrams(text)));
  const auto answers = drive(asked, trigrams);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].ids, std::vector<TokenId>(text.begin() + 2, text.end()));
  EXPECT_EQ(answers[0].reason, FinishReason::kLength);
  EXPECT_TRUE(answers[0].logprobs.empty());
}

TEST(SamplingChooser, GuessesChangeNoText) {
  for (const bool sampling : {false, true}) {
    for (TokenId first = 0; first < 12; ++first) {
      GenerationRequest asked = request({first, 3, 4, 5, 6, 7, 8, 3}, 60);
      asked.samples = sampling ? 3 : 1;
      asked.logprobs = 2;
      asked.options.eos_token_ids = {first};
      asked.options.do_sample = sampling;
      asked.options.temperature = 0.3;
      asked.options.repetition_penalty = first % 2 == 0 ? 1.0 : 1.1;
      DriverCounts plain, guessing;
      const auto expected = drive(asked, trigrams, {}, &plain);
      asked.options.prompt_lookup_num_tokens = 4;
      const auto answers = drive(asked, trigrams, {}, &guessing);
      for (std::size_t s = 0; s < expected.size(); ++s) {
        EXPECT_EQ(answers[s].ids, expected[s].ids);
        EXPECT_EQ(answers[s].logprobs, expected[s].logprobs);
        EXPECT_EQ(answers[s].top_logprobs.size(), expected[s].ids.size());
        EXPECT_EQ(answers[s].reason, expected[s].reason);
      }
      EXPECT_LE(guessing.steps, plain.steps);
      if (!sampling && plain.steps == 60 && first % 2 == 0) {
        EXPECT_LT(guessing.steps, 40) << "a greedy text of so few pairs repeats itself";
      }
    }
  }
}

TEST(SamplingChooser, DrawsASampleAsIfItWereAlone) {
  GenerationRequest asked = request({1, 2, 3}, 15);
  asked.options.do_sample = true;
  asked.options.eos_token_ids = {7};
  asked.samples = 4;
  asked.stream = 20;
  const auto together = drive(asked, trigrams);
  ASSERT_EQ(together.size(), 4u);
  for (std::uint64_t s = 0; s < 4; ++s) {
    GenerationRequest alone = asked;
    alone.samples = 1;
    alone.stream = 20 + s;
    const auto answer = drive(alone, trigrams);
    EXPECT_EQ(answer[0].ids, together[s].ids);
    EXPECT_EQ(answer[0].reason, together[s].reason);
  }
  EXPECT_NE(together[0].ids, together[1].ids);
}

TEST(SamplingChooser, EndsWhereTheEventsSaySo) {
  GenerationRequest asked = request({1, 2, 3, 1, 2}, 30);
  asked.options.prompt_lookup_num_tokens = 3;
  std::vector<TokenId> seen;
  std::vector<std::size_t> ended;
  ChooserEvents events;
  events.token = [&](std::size_t, TokenId id) {
    seen.push_back(id);
    return seen.size() == 5;
  };
  events.end = [&](std::size_t sample, const GeneratedTokens&) { ended.push_back(sample); };
  const auto answers = drive(asked, trigrams, events);
  EXPECT_EQ(answers[0].ids.size(), 5u);
  EXPECT_EQ(answers[0].ids, seen);
  EXPECT_EQ(answers[0].reason, FinishReason::kStop);
  EXPECT_EQ(ended, std::vector<std::size_t>{0});
}

TEST(SamplingChooser, EndsWithThePositions) {
  const GenerationRequest asked = request({1, 2, 3}, 30);
  const auto chooser = make_chooser(asked, 10);
  const auto answers = drive(*chooser, asked.prompt, trigrams);
  EXPECT_EQ(answers[0].ids.size(), 7u);
  EXPECT_EQ(answers[0].reason, FinishReason::kPositions);
}

TEST(SamplingChooser, TakesTokensThatWereChosenOnTheDevice) {
  GenerationRequest asked = request({1, 2}, 3);
  const auto chooser = make_chooser(asked, 100);
  const auto choices = chooser->choices();
  ASSERT_TRUE(choices);
  ASSERT_EQ(choices->size(), 1u);
  EXPECT_FALSE(choices->front().draws);
  const TokenId best = 4;
  chooser->choose(std::vector<RowLogits>{{nullptr, 1, 12, 12, &best}});
  EXPECT_EQ(chooser->advance().branches.front().token, 4);
  const TokenId none = -1;
  expect_error(ErrorCode::kInternal, testing::HasSubstr("not finite"), [&] {
    chooser->choose(std::vector<RowLogits>{{nullptr, 1, 12, 12, &none}});
  });
}

TEST(SamplingChooser, SaysWhatTheDeviceIsToChoose) {
  GenerationRequest asked = request({1, 2}, 3);
  asked.options.do_sample = true;
  asked.options.temperature = 0.5;
  asked.options.top_k = 7;
  asked.options.top_p = 0.9;
  asked.options.min_p = 0.1;
  asked.samples = 3;
  const auto chooser = make_chooser(asked, 100);
  const auto first = *chooser->choices();
  ASSERT_EQ(first.size(), 3u);
  for (const DeviceChoice& choice : first) {
    EXPECT_EQ(choice.row, 0) << "all samples begin with the prompt's row";
    EXPECT_TRUE(choice.draws);
    EXPECT_EQ(choice.temperature, 0.5);
    EXPECT_EQ(choice.top_k, 7);
    EXPECT_EQ(choice.top_p, 0.9);
    EXPECT_EQ(choice.min_p, 0.1);
  }
  EXPECT_NE(first[0].uniform, first[1].uniform);
  const std::vector<TokenId> chosen = {4, 5, 6};
  chooser->choose(std::vector<RowLogits>{{nullptr, 1, 12, 12, chosen.data()}});
  const Step& step = chooser->advance();
  ASSERT_EQ(step.branches.size(), 3u);
  for (std::size_t s = 0; s < 3; ++s) EXPECT_EQ(step.branches[s].token, chosen[s]);
  const auto second = *chooser->choices();
  ASSERT_EQ(second.size(), 3u);
  for (std::size_t s = 0; s < 3; ++s) EXPECT_EQ(second[s].row, static_cast<std::int64_t>(s));
  EXPECT_NE(second[0].uniform, first[0].uniform);
}

TEST(SamplingChooser, NeedsLogitsForWhatTheDeviceDoesNot) {
  const auto on_device = [](const std::function<void(GenerationRequest&)>& change) {
    GenerationRequest asked = request({1, 2}, 3);
    change(asked);
    return make_chooser(asked, 100)->choices().has_value();
  };
  EXPECT_TRUE(on_device([](auto& asked) { asked.options.do_sample = true; }));
  EXPECT_FALSE(on_device([](auto& asked) { asked.logprobs = 0; }));
  EXPECT_FALSE(on_device([](auto& asked) { asked.options.repetition_penalty = 1.1; }));
  EXPECT_FALSE(on_device([](auto& asked) {
    asked.options.do_sample = true;
    asked.options.typical_p = 0.9;
  }));
  EXPECT_FALSE(on_device([](auto& asked) {
    asked.options.do_sample = true;
    asked.options.eta_cutoff = 1e-3;
  }));
  EXPECT_FALSE(on_device([](auto& asked) { asked.options.beams.num_beams = 2; }));
}

TEST(SamplingChooser, RefusesLogitsThatAreNotFinite) {
  GenerationRequest asked = request({1, 2}, 3);
  asked.number = 7;
  const auto broken = [](const std::vector<TokenId>&) {
    return std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 0};
  };
  expect_error(ErrorCode::kInternal, testing::HasSubstr("prompt 7, token 3"),
               [&] { drive(asked, broken); });
  asked.options.repetition_penalty = 1.2;
  expect_error(ErrorCode::kInternal, testing::HasSubstr("prompt 7, token 3"),
               [&] { drive(asked, broken); });
}

}  // namespace
}  // namespace llmctl::test
