#include "runs/bench_case.h"

#include <gtest/gtest.h>

#include "config/fields.h"
#include "models/model.h"

namespace llmctl {
namespace {

std::unique_ptr<Model> model_of(const char* config, HeadKind head) {
  JsonDocument document;
  document.value = Json::parse(config);
  ModelRequest request;
  request.head = head;
  request.meta = true;
  return create_model(ConfigNode(&document.value, "model", &document), 0, request);
}

TEST(BenchCase, CountsADecodersWork) {
  const auto model = model_of(R"({"model_type": "llama", "vocab_size": 100, "hidden_size": 32,
    "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64})",
                              HeadKind::kCausalLm);
  const ModelWork work = count_work(*model);
  const double layers = 3 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48);
  EXPECT_EQ(work.prompt_weights, layers);
  EXPECT_EQ(work.head_weights, 100 * 32);
  EXPECT_EQ(work.step_weights, layers + 100 * 32);
  EXPECT_EQ(work.cache_numbers, 3 * 2 * 2 * 8);
  EXPECT_EQ(work.source_numbers, 0);
  EXPECT_EQ(work.layers_width, 3 * 32);
}

TEST(BenchCase, CountsAnEncoderDecodersWork) {
  const double d = 32, f = 48;
  const auto check = [&](const Model& model, double vocabulary) {
    const ModelWork work = count_work(model);
    // The decoder's steps meet queries and outputs of the attention to the encoder's states.
    EXPECT_EQ(work.step_weights, 2 * (6 * d * d + 2 * d * f) + vocabulary * d);
    EXPECT_EQ(work.prompt_weights, 2 * (4 * d * d + 2 * d * f) + 2 * 2 * d * d);
    EXPECT_EQ(work.source_numbers, 2 * 2 * d);
  };
  check(*model_of(R"({"model_type": "marian", "vocab_size": 100, "d_model": 32,
    "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    "max_position_embeddings": 64, "pad_token_id": 99, "decoder_start_token_id": 99})",
                  HeadKind::kSeq2SeqLm),
        100);
  check(*model_of(R"({"model_type": "t5", "vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 48,
    "num_layers": 2, "num_heads": 4})",
                  HeadKind::kSeq2SeqLm),
        100);
}

TEST(BenchCase, IsTheSameBehindJson) {
  BenchCase one;
  one.directory = "a b";
  one.form = "bf16";
  one.batch = 7;
  one.beams = 3;
  one.sampling = true;
  one.started = 12.5;
  EXPECT_EQ(BenchCase::from_json(one.to_json()).to_json(), one.to_json());
}

}  // namespace
}  // namespace llmctl
