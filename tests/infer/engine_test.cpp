#include "infer/engine.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "support/device.h"
#include "support/fake_model.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kVocab = 10;

/// After id comes id + 1: what is generated can be written down.
class Chain : public FakeModel {
 public:
  Chain() : FakeModel(kVocab) {
    const c10::AutoGradMode no_grad(false);
    for (std::int64_t id = 0; id < kVocab; ++id) table()[id][(id + 1) % kVocab].fill_(5);
  }
  const ModelFacts& facts() const override { return facts_override; }
  at::Tensor hidden(const Sequence& input, const Context& context) override {
    const at::Tensor ids = input.ids.cpu(), places = input.positions.cpu();
    const auto list = [](const at::Tensor& values) {
      const auto* first = values.const_data_ptr<std::int64_t>();
      return std::vector<std::int64_t>(first, first + values.numel());
    };
    passes.push_back(list(ids));
    positions.push_back(list(places));
    if (context.cache) cache_bytes.push_back(context.cache->bytes());
    return FakeModel::hidden(input, context);
  }
  std::unique_ptr<KvCache> make_cache(std::int64_t tokens, const Context&) const override {
    return std::make_unique<KvCache>(KvCacheShape{1, 1, 1}, at::kFloat, device(), tokens);
  }
  std::vector<std::vector<std::int64_t>> passes, positions;  // the ids of each forward pass
  std::vector<std::int64_t> cache_bytes;
  ModelFacts facts_override = FakeModel::facts();
};

class Engine : public ::testing::Test {
 protected:
  void SetUp() override { model.to(at::Device(test_device())); }

  std::vector<GeneratedTokens> generate(const std::vector<std::vector<TokenId>>& prompts,
                                        const GenerationEvents& events = {}) {
    std::vector<GenerationRequest> requests;
    for (const auto& prompt : prompts) requests.push_back(request(prompt, requests.size()));
    return answers_of(requests, events);
  }
  /// The only sample of each request.
  std::vector<GeneratedTokens> answers_of(const std::vector<GenerationRequest>& requests,
                                          const GenerationEvents& events = {}) {
    std::vector<GeneratedTokens> answers;
    for (auto& samples : generate_tokens(model, requests, engine, Context(), events)) {
      answers.push_back(std::move(samples.front()));
    }
    return answers;
  }
  GenerationRequest request(const std::vector<TokenId>& prompt, std::uint64_t stream) const {
    GenerationRequest request;
    request.prompt = prompt;
    request.options = options;
    request.options.eos_token_ids = stop;
    request.stream = stream;
    request.logprobs = logprobs;
    return request;
  }
  Error error_of(const std::vector<std::vector<TokenId>>& prompts) {
    try {
      generate(prompts);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorCode::kUsage, ""};
  }

  Chain model;
  SamplingOptions options;
  std::optional<std::int64_t> logprobs;
  std::vector<TokenId> stop = {9};
  EngineOptions engine;
};

using Ids = std::vector<TokenId>;

TEST_F(Engine, StopsAtAStopTokenWhichIsNotIncluded) {
  const auto results = generate({{3, 4}});
  EXPECT_EQ(results[0].ids, (Ids{5, 6, 7, 8}));
  EXPECT_EQ(results[0].reason, FinishReason::kStop);
}

TEST_F(Engine, GivesLogProbabilitiesWhereAskedFor) {
  EXPECT_TRUE(generate({{3, 4}})[0].logprobs.empty());
  const double expected = 5 - std::log(std::exp(5.0) + kVocab - 1);
  for (const std::int64_t most : {0, 2}) {
    logprobs = most;
    const auto results = generate({{3, 4}, {6}});
    ASSERT_EQ(results[0].logprobs.size(), 4u);
    for (const float logprob : results[0].logprobs) EXPECT_NEAR(logprob, expected, 1e-5);
    ASSERT_EQ(results[0].top_logprobs.size(), most > 0 ? 4u : 0u);
    for (std::size_t t = 0; t < results[0].top_logprobs.size(); ++t) {
      const auto& top = results[0].top_logprobs[t];
      ASSERT_EQ(std::ssize(top), most);
      EXPECT_EQ(top[0].id, results[0].ids[t]);
      EXPECT_NEAR(top[0].logprob, expected, 1e-5);
      EXPECT_NEAR(top[1].logprob, expected - 5, 1e-5);
    }
  }
}

TEST_F(Engine, StopsByLength) {
  stop.clear();
  options.max_new_tokens = 3;
  auto results = generate({{0, 1}});
  EXPECT_EQ(results[0].ids, (Ids{2, 3, 4}));
  EXPECT_EQ(results[0].reason, FinishReason::kLength);
}

TEST_F(Engine, StopsWhereTheModelHasNoFurtherPosition) {
  stop.clear();
  model.facts_override.max_positions = 6;
  options.max_new_tokens = 100;
  const auto results = generate({{0, 1, 2}, {0, 1, 2, 3, 4}});
  EXPECT_EQ(results[0].ids, (Ids{3, 4, 5}));
  EXPECT_EQ(results[1].ids, (Ids{5}));
  EXPECT_EQ(results[0].reason, FinishReason::kPositions);
  options.max_new_tokens = 3;
  EXPECT_EQ(generate({{0, 1, 2}})[0].reason, FinishReason::kLength);
  const Error error = error_of({{0}, {0, 1, 2, 3, 4, 5}});
  EXPECT_EQ(error.code(), ErrorCode::kData);
  EXPECT_THAT(error.what(), HasSubstr("prompt 2 has 6 tokens"));
  EXPECT_THAT(error.what(), HasSubstr("takes 6"));
}

TEST_F(Engine, RefusesBadPrompts) {
  EXPECT_THAT(error_of({{}}).what(), HasSubstr("no tokens"));
  EXPECT_THAT(error_of({{0}, {10}}).what(), HasSubstr("prompt 2 holds token id 10"));
  EXPECT_THAT(error_of({{-1}}).what(), HasSubstr("token id -1"));
  EXPECT_EQ(error_of({{}}).code(), ErrorCode::kData);
}

TEST_F(Engine, KeepsTheOrderOfTheRequestsAndLetsFinishedRowsGo) {
  engine.batch_size = 3;
  const auto results = generate({{7}, {1, 2, 3}, {8, 8}, {0, 0, 0, 5}, {6}});
  EXPECT_EQ(results[0].ids, (Ids{8}));
  EXPECT_EQ(results[1].ids, (Ids{4, 5, 6, 7, 8}));
  EXPECT_EQ(results[2].ids, (Ids{}));
  EXPECT_EQ(results[3].ids, (Ids{6, 7, 8}));
  EXPECT_EQ(results[4].ids, (Ids{7, 8}));
  // Three at a time; who is done makes room for the next one, whose prompt goes with the others'
  // next tokens.
  EXPECT_EQ(model.passes,
            (std::vector<std::vector<std::int64_t>>{
                {7, 1, 2, 3, 8, 8}, {8, 4, 0, 0, 0, 5}, {5, 6, 6}, {6, 7, 7}, {7, 8, 8}, {8}}));
}

TEST_F(Engine, GivesPositions) {
  generate({{4, 5, 6}, {1, 8}});
  EXPECT_EQ(model.positions[0], (std::vector<std::int64_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(model.positions[1], (std::vector<std::int64_t>{3}));
  EXPECT_EQ(model.positions[2], (std::vector<std::int64_t>{4}));
}

TEST_F(Engine, LongPromptsComeInPartsBesideTheOthers) {
  engine.prefill_tokens = 8;
  std::vector<TokenId> prompt(21, 0);
  const auto results = generate({{0}, prompt});
  EXPECT_EQ(results[0].ids, (Ids{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(results[1].ids, (Ids{1, 2, 3, 4, 5, 6, 7, 8}));
  // 1 and 7 tokens, then two tokens beside the other's next one, and the rest.
  std::vector<std::size_t> sizes;
  for (const auto& pass : model.passes) sizes.push_back(pass.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{8, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_F(Engine, EqualPromptsAreComputedOnce) {
  const std::vector<TokenId> prompt(40, 3);
  llmctl::Engine shared(model, engine, Context());
  std::vector<GenerationRequest> requests(3, request(prompt, 0));
  requests[2].prompt.back() = 5;
  const auto results = generate_tokens(shared, model.facts(), requests);
  EXPECT_EQ(results[0][0].ids, (Ids{4, 5, 6, 7, 8}));
  EXPECT_EQ(results[1][0].ids, (Ids{4, 5, 6, 7, 8}));
  EXPECT_EQ(results[2][0].ids, (Ids{6, 7, 8}));
  EXPECT_EQ(model.passes[0].size(), 40u + 8 + 8);
  EXPECT_EQ(shared.counts().prompt, 40 + 8 + 8);
  EXPECT_EQ(shared.counts().shared, 32 + 32);
  // A conversation goes on: what was answered is known, too.
  std::vector<TokenId> longer = prompt;
  longer.insert(longer.end(), {4, 5, 6, 7, 8, 9, 9, 9, 9, 2});
  generate_tokens(shared, model.facts(), {request(longer, 0)});
  EXPECT_EQ(shared.counts().shared, 32 + 32 + 32);
  // The same with a prompt that comes in parts: the second waits for the first one's pages.
  engine.prefill_tokens = 16;
  llmctl::Engine parts(model, engine, Context());
  generate_tokens(parts, model.facts(), {requests[0], requests[1]});
  EXPECT_EQ(parts.counts().prompt, 40 + 8);
}

TEST_F(Engine, SamplesOfAPromptShareIt) {
  stop.clear();
  options.do_sample = true;
  options.temperature = 5;
  options.max_new_tokens = 12;
  GenerationRequest several = request(std::vector<TokenId>(20, 3), 4);
  several.samples = 3;
  const auto results = generate_tokens(model, {several}, engine, Context());
  ASSERT_EQ(results[0].size(), 3u);
  EXPECT_EQ(model.passes[0].size(), 20u);
  EXPECT_EQ(model.passes[1].size(), 3u);
  for (std::uint64_t s = 0; s < 3; ++s) {
    several.samples = 1;
    several.stream = 4 + s;
    EXPECT_EQ(answers_of({several})[0].ids, results[0][s].ids) << "each draws as if it were alone";
  }
}

TEST_F(Engine, TheCacheHasThePagesOfItsRowsFromTheBeginning) {
  stop.clear();
  engine.batch_size = 4;
  options.max_new_tokens = 13;  // 33 tokens: three pages of 128 bytes
  const std::vector<std::vector<TokenId>> prompts(6, std::vector<TokenId>(20, 3));
  const auto sizes = [&] {
    model.cache_bytes.clear();
    generate(prompts);
    const auto [least, most] =
        std::minmax_element(model.cache_bytes.begin(), model.cache_bytes.end());
    return std::pair(*least, *most);
  };
  const std::pair<std::int64_t, std::int64_t> alone(4 * 3 * 128, 4 * 3 * 128);
  EXPECT_EQ(sizes(), alone);
  options.beams.num_beams = 4;
  EXPECT_EQ(sizes(), alone) << "beams fork and go";
  options.beams.num_beams = 1;
  options.prompt_lookup_num_tokens = 3;
  EXPECT_EQ(sizes(), alone) << "drafts";
  engine.static_shapes = true;
  EXPECT_EQ(sizes(), std::pair(alone.first + 128, alone.second + 128)) << "a page for padding";
}

TEST_F(Engine, RequestsComeAndGoBetweenPasses) {
  stop.clear();
  options.max_new_tokens = 6;
  llmctl::Engine running(model, engine, Context());
  EXPECT_TRUE(running.idle());
  EXPECT_TRUE(running.step().empty());
  std::vector<TokenId> heard;
  const auto first = running.submit(request({0}, 0), {.token = [&](std::size_t, TokenId id) {
                                      heard.push_back(id);
                                      return false;
                                    }});
  running.step();
  running.step();
  const auto second = running.submit(request({4}, 1));
  running.cancel(first);
  std::vector<llmctl::Engine::Finished> finished;
  while (!running.idle()) {
    for (auto& one : running.step()) finished.push_back(std::move(one));
  }
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_EQ(finished[0].id, second);
  EXPECT_EQ(finished[0].answers[0].ids, (Ids{5, 6, 7, 8, 9, 0}));
  EXPECT_EQ(heard, (Ids{1, 2}));
}

TEST_F(Engine, TellsEachTokenAndObeysTheCallback) {
  std::vector<std::pair<std::size_t, TokenId>> seen;
  std::vector<std::size_t> ended;
  GenerationEvents events;
  events.token = [&](std::size_t row, std::size_t, TokenId id) {
    seen.emplace_back(row, id);
    return row == 1 && id == 2;
  };
  events.end = [&](std::size_t row, std::size_t, const GeneratedTokens& result) {
    ended.push_back(row);
    EXPECT_EQ(result.ids.size(), row == 0 ? 3u : 2u);
  };
  const auto results = generate({{5}, {0}}, events);
  EXPECT_EQ(ended, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(results[0].ids, (Ids{6, 7, 8}));
  EXPECT_EQ(results[1].ids, (Ids{1, 2}));
  EXPECT_EQ(results[1].reason, FinishReason::kStop);
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(Engine, HoldsStopTokensBackForAWhile) {
  options.min_new_tokens = 4;
  options.max_new_tokens = 6;
  const auto results = generate({{7}});
  ASSERT_GE(results[0].ids.size(), 4u);
  EXPECT_EQ(results[0].ids[0], 8);
  EXPECT_NE(results[0].ids[1], 9);
}

TEST_F(Engine, EndsTheLongestTextAsForced) {
  options.max_new_tokens = 3;
  options.forced_eos_token_ids = {9};
  const auto results = generate({{1}, {7}});
  EXPECT_EQ(results[0].ids, (Ids{2, 3}));
  EXPECT_EQ(results[0].reason, FinishReason::kStop);
  EXPECT_EQ(results[1].ids, (Ids{8}));
}

TEST_F(Engine, WritesNoBadWords) {
  options.max_new_tokens = 4;
  options.bad_words_ids = {{3, 4}, {6}};
  const auto results = generate({{2}, {5}});
  EXPECT_EQ(results[0].ids[0], 3);
  EXPECT_NE(results[0].ids[1], 4);
  for (const auto& result : results)
    EXPECT_THAT(result.ids, ::testing::Not(::testing::Contains(6)));
}

TEST_F(Engine, GivesNoTokenBeyondTheTokenizer) {
  engine.vocab_limit = 6;
  stop = {5};
  options.max_new_tokens = 8;
  for (const bool sample : {false, true}) {
    options.do_sample = sample;
    const auto results = generate({{0}, {9, 8}});
    for (const GeneratedTokens& result : results) {
      EXPECT_THAT(result.ids, ::testing::Each(::testing::Lt(6)));
    }
  }
}

TEST_F(Engine, DrawsDependOnTheStreamAlone) {
  stop.clear();
  options.do_sample = true;
  options.temperature = 5;
  options.max_new_tokens = 12;
  const auto together = generate({{1}, {1, 2}, {1, 2, 3}});
  std::vector<GenerationRequest> alone = {request({1, 2}, 1)};
  const auto one = answers_of(alone);
  EXPECT_EQ(one[0].ids, together[1].ids);
  // Going on from a part of the text gives the rest of it.
  std::vector<TokenId> begun = {1, 2};
  begun.insert(begun.end(), one[0].ids.begin(), one[0].ids.begin() + 5);
  alone[0].prompt = begun;
  const auto rest = answers_of(alone);
  EXPECT_TRUE(std::equal(one[0].ids.begin() + 5, one[0].ids.end(), rest[0].ids.begin()));
  alone[0] = request({1, 2}, 2);
  EXPECT_NE(answers_of(alone)[0].ids, one[0].ids);
  options.seed = 99;
  EXPECT_NE(generate({{1}, {1, 2}})[1].ids, one[0].ids);
}

TEST_F(Engine, ReportsLogitsThatAreNotFinite) {
  const c10::AutoGradMode no_grad(false);
  model.table()[5][2].fill_(std::numeric_limits<double>::quiet_NaN());
  const Error error = error_of({{0}, {3}});
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("prompt 2, token 4"));
}

TEST_F(Engine, TakesNothingForNothing) {
  EXPECT_TRUE(generate({}).empty());
}

TEST_F(Engine, EachRequestHasItsOwnOptions) {
  std::vector<GenerationRequest> requests = {request({0}, 0), request({0}, 0), request({0}, 0),
                                             request({0}, 0)};
  requests[0].options.max_new_tokens = 2;
  requests[1].options.eos_token_ids = {4};
  requests[2].options.suppress_tokens = {3};
  requests[3].options.do_sample = true;
  requests[3].options.temperature = 5;
  const auto together = answers_of(requests);
  EXPECT_EQ(together[0].ids, (Ids{1, 2}));
  EXPECT_EQ(together[1].ids, (Ids{1, 2, 3}));
  EXPECT_EQ(together[2].ids, (Ids{1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1,
                                  2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2,
                                  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1}));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(answers_of({requests[i]})[0].ids, together[i].ids);
  }
}

}  // namespace
}  // namespace llmctl::test
