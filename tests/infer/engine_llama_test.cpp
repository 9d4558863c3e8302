// Generation with a small random Llama: what batching, caching and stopping must not change.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "infer/engine.h"
#include "models/quantization.h"
#include "ops/backend.h"
#include "support/device.h"

namespace llmctl::test {
namespace {

constexpr std::int64_t kVocab = 97;

std::unique_ptr<Model> small_llama(double range = 0.3) {
  JsonDocument document = parse_json_document(R"({
    "model_type": "llama", "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 97,
    "max_position_embeddings": 64, "tie_word_embeddings": false})",
                                              "model.json");
  document.value["initializer_range"] = range;
  ModelRequest request;
  request.head = HeadKind::kCausalLm;
  request.seed = 5;
  auto model = create_model(ConfigNode(&document.value, "model", &document), kVocab, request);
  model->to(at::Device(test_device()));
  return model;
}

class EngineLlama : public ::testing::Test {
 protected:
  EngineLlama() {
    options.max_new_tokens = 20;
    for (std::size_t length : {3u, 17u, 1u, 9u, 9u, 30u, 2u}) {
      std::vector<TokenId> prompt;
      for (std::size_t t = 0; t < length; ++t) {
        prompt.push_back(static_cast<TokenId>((7 * length + 13 * t * t + 5 * t) % kVocab));
      }
      GenerationRequest& request = requests.emplace_back();
      request.prompt = prompt;
      request.stream = requests.size() - 1;
    }
  }
  std::vector<GeneratedTokens> generate(std::vector<GenerationRequest> some) {
    for (GenerationRequest& request : some) {
      request.options = options;
      request.logprobs = 0;
    }
    std::vector<GeneratedTokens> answers;
    for (auto& samples : generate_tokens(*model, some, engine, context)) {
      answers.push_back(std::move(samples.front()));
    }
    return answers;
  }

  std::unique_ptr<Model> model = small_llama();
  SamplingOptions options;
  EngineOptions engine;
  Context context;
  std::vector<GenerationRequest> requests;
};

TEST_F(EngineLlama, ARowsTextIsTheOneItGetsAlone) {
  // A token that some rows meet early, so that they leave the batch.
  options.eos_token_ids = {generate(requests)[1].ids[4]};
  for (const std::int64_t batch : {1, 3, 16}) {
    engine.batch_size = batch;
    const auto together = generate(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto alone = generate({requests[i]});
      EXPECT_EQ(together[i].ids, alone[0].ids) << "batch " << batch << ", row " << i;
      EXPECT_EQ(together[i].reason, alone[0].reason);
      ASSERT_EQ(together[i].logprobs.size(), alone[0].logprobs.size());
      for (std::size_t t = 0; t < alone[0].logprobs.size(); ++t) {
        EXPECT_NEAR(together[i].logprobs[t], alone[0].logprobs[t], 1e-4);
      }
    }
  }
}

TEST_F(EngineLlama, DrawsAreThoseOfTheRowAlone) {
  options.do_sample = true;
  options.top_k = 20;
  options.top_p = 0.9;
  options.repetition_penalty = 1.2;
  const auto together = generate(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(generate({requests[i]})[0].ids, together[i].ids);
  }
}

/// Step by step from the whole sequence, without a cache.
TEST_F(EngineLlama, TheCacheChangesNothing) {
  const auto cached = generate({requests[1]})[0];
  const at::NoGradGuard no_grad;
  std::vector<std::int64_t> ids(requests[1].prompt.begin(), requests[1].prompt.end());
  for (std::size_t t = 0; t < cached.ids.size(); ++t) {
    Sequence input;
    input.ids = at::tensor(ids, at::kLong).unsqueeze(0).to(model->device());
    const at::Tensor hidden = model->hidden(input, Context());
    const at::Tensor logits = model->head(hidden[0].slice(0, -1), Context());
    const at::Tensor logprobs = at::log_softmax(logits[0], -1);
    EXPECT_EQ(logits[0].argmax().item<std::int64_t>(), cached.ids[t]);
    EXPECT_NEAR(logprobs[cached.ids[t]].item<float>(), cached.logprobs[t], 1e-4);
    ids.push_back(cached.ids[t]);
  }
}

/// The tokens and log-probabilities of each request, to the last bit, in every form of the weights.
TEST_F(EngineLlama, DeterministicAnswersAreTheSameInAnyCompany) {
  set_deterministic(true);
  for (const std::string form : {"fp32", "bf16", "int8", "int4"}) {
    model = small_llama();
    context.compute = form == "bf16" ? at::kBFloat16 : at::kFloat;
    if (const auto quantization = parse_quantization(form)) model->quantize(*quantization);
    for (const bool sample : {false, true}) {
      options.do_sample = sample;
      std::vector<GeneratedTokens> alone;
      for (const GenerationRequest& request : requests) alone.push_back(generate({request})[0]);
      for (const auto& [batch, prefill] : {std::pair{1, 1}, {2, 5}, {3, 1024}, {16, 7}}) {
        engine.batch_size = batch;
        engine.prefill_tokens = prefill;
        for (const bool backwards : {false, true}) {
          std::vector<GenerationRequest> some = requests;
          if (backwards) std::reverse(some.begin(), some.end());
          auto together = generate(some);
          if (backwards) std::reverse(together.begin(), together.end());
          for (std::size_t i = 0; i < alone.size(); ++i) {
            EXPECT_EQ(together[i].ids, alone[i].ids)
                << form << " " << batch << " " << prefill << " row " << i;
            EXPECT_EQ(together[i].logprobs, alone[i].logprobs)
                << form << " " << batch << " " << prefill << " row " << i;
          }
        }
      }
      engine = {};
    }
  }
  set_deterministic(false);
}

/// Log-probabilities [T, V] behind each of the tokens, fed one by one through a cache.
at::Tensor step_by_step(Model& model, KvCache& cache, const std::vector<TokenId>& ids) {
  const at::NoGradGuard no_grad;
  Context context;
  context.cache = &cache;
  const KvCache::Row row = cache.open();
  std::vector<at::Tensor> logits;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto whole = [&](std::int64_t value) {
      return at::tensor(value, at::kLong).view({1, 1}).to(model.device());
    };
    Sequence input;
    input.ids = whole(ids[t]);
    input.positions = whole(static_cast<std::int64_t>(t));
    input.documents = whole(row);
    cache.plan(row, 1);
    logits.push_back(model.head(model.hidden(input, context)[0], context));
    cache.end();
  }
  cache.close(row);
  return at::log_softmax(at::cat(logits), -1).cpu();
}

/// Integers keep their keys and values in bf16: half the memory, and an error below their own.
TEST_F(EngineLlama, TheCacheOfNarrowWeightsIsHalfAndRoundsLittle) {
  std::vector<TokenId> ids;
  for (TokenId t = 0; t < 60; ++t)
    ids.push_back(static_cast<TokenId>((13 * t * t + 5 * t) % kVocab));
  model = small_llama(0.1);  // scores of attention as trained models have them, no lottery
  const ModelFacts facts = model->facts();
  const KvCacheShape shape = {facts.layers, facts.kv_heads, facts.head_size};
  KvCache of_fp32(shape, at::kFloat, model->device(), 64);
  const auto own = model->make_cache(64, context);
  EXPECT_EQ(own->bytes(), of_fp32.bytes());
  const at::Tensor dense = step_by_step(*model, of_fp32, ids);
  for (const std::string form : {"int8", "int4"}) {
    SCOPED_TRACE(form);
    model = small_llama(0.1);
    model->quantize(*parse_quantization(form));
    const auto narrow = model->make_cache(64, context);
    EXPECT_EQ(2 * narrow->bytes(), of_fp32.bytes());
    const at::Tensor wide = step_by_step(*model, of_fp32, ids);
    const at::Tensor error = (step_by_step(*model, *narrow, ids) - wide).abs();
    const at::Tensor of_integers = (wide - dense).abs();
    EXPECT_GT(error.max().item<float>(), 0);
    EXPECT_LT(error.max().item<float>(), of_integers.max().item<float>());
    EXPECT_LT(error.mean().item<float>(), of_integers.mean().item<float>());
  }
}

TEST_F(EngineLlama, ASharedBeginningIsTheSameToTheLastBit) {
  for (const std::string form : {"fp32", "int8"}) {
    SCOPED_TRACE(form);
    if (const auto quantization = parse_quantization(form)) model->quantize(*quantization);
    GenerationRequest request = requests[5];
    request.options = options;
    request.logprobs = 0;
    set_deterministic(true);
    Engine shared(*model, engine, context);
    const auto first = generate_tokens(shared, model->facts(), {request});
    const auto second = generate_tokens(shared, model->facts(), {request});
    set_deterministic(false);
    EXPECT_EQ(shared.counts().shared, 16);
    EXPECT_EQ(second[0][0].ids, first[0][0].ids);
    EXPECT_EQ(second[0][0].logprobs, first[0][0].logprobs);
  }
}

/// Greedy and drawn rows, samples of one prompt and guesses from the text, whose choices the device
/// takes alike, and beside a row that needs its logits.
TEST_F(EngineLlama, TokensChosenOnTheDeviceAreThoseOfTheHost) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    SamplingOptions& own = requests[i].options;
    own.max_new_tokens = 20;
    own.do_sample = i % 3 != 0;
    own.temperature = 0.8;
    own.top_k = i % 2 == 0 ? 20 : 0;
    own.top_p = i == 4 ? 1.0 : 0.9;
    own.min_p = i == 5 ? 0.05 : 0.0;
    own.prompt_lookup_num_tokens = i == 2 || i == 3 ? 3 : 0;
    requests[i].samples = i == 1 ? 3 : 1;
  }
  for (const bool penalised : {false, true}) {
    if (penalised) requests[6].options.repetition_penalty = 1.3;
    engine.choose_on_device = false;
    const auto host = generate_tokens(*model, requests, engine, context);
    engine.choose_on_device = true;
    const auto device = generate_tokens(*model, requests, engine, context);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ASSERT_EQ(device[i].size(), host[i].size());
      for (std::size_t s = 0; s < host[i].size(); ++s) EXPECT_EQ(device[i][s].ids, host[i][s].ids);
    }
    EXPECT_NE(host[1][0].ids, host[1][1].ids);
  }
}

/// Passes padded to few shapes, as other devices run them: lone rows, samples, beams and drafts.
TEST_F(EngineLlama, PassesOfStaticShapesGiveTheSameAnswers) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    SamplingOptions& own = requests[i].options;
    own.max_new_tokens = 20;
    own.do_sample = i == 1;
    own.beams.num_beams = i == 4 ? 3 : 1;
    own.prompt_lookup_num_tokens = i == 2 ? 3 : 0;
    requests[i].samples = i == 1 ? 3 : 1;
    requests[i].logprobs = 0;
  }
  const auto ragged = generate_tokens(*model, requests, engine, context);
  engine.static_shapes = true;
  const auto padded = generate_tokens(*model, requests, engine, context);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_EQ(padded[i].size(), ragged[i].size());
    for (std::size_t s = 0; s < ragged[i].size(); ++s) {
      EXPECT_EQ(padded[i][s].ids, ragged[i][s].ids);
      ASSERT_EQ(padded[i][s].logprobs.size(), ragged[i][s].logprobs.size());
      for (std::size_t t = 0; t < ragged[i][s].logprobs.size(); ++t) {
        EXPECT_NEAR(padded[i][s].logprobs[t], ragged[i][s].logprobs[t], 1e-4);
      }
    }
  }
}

TEST_F(EngineLlama, FillsTheContextToItsEnd) {
  options.max_new_tokens = 1000;
  const auto result = generate({requests[5]})[0];
  EXPECT_EQ(result.ids.size(), 64u - requests[5].prompt.size());
  EXPECT_EQ(result.reason, FinishReason::kPositions);
}

TEST_F(EngineLlama, LeavesTheModelTrainable) {
  generate(requests);
  Sequence input;
  input.ids =
      at::tensor(std::vector<std::int64_t>{1, 2, 3}, at::kLong).unsqueeze(0).to(model->device());
  context.train = true;
  const at::Tensor hidden = model->hidden(input, context);
  model->lm_loss(hidden[0], input.ids[0], context).backward();
  for (const auto& [name, parameter] : model->parameters()) {
    EXPECT_TRUE(parameter.grad().defined()) << name;
  }
}

}  // namespace
}  // namespace llmctl::test
