// Generation with a small random Llama: what batching, caching and stopping must not change.
#include <ATen/core/grad_mode.h>
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

std::unique_ptr<Model> small_llama() {
  const JsonDocument document = parse_json_document(R"({
    "model_type": "llama", "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 97,
    "max_position_embeddings": 64, "tie_word_embeddings": false, "initializer_range": 0.3})",
                                                    "model.json");
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
