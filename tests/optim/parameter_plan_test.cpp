#include "optim/parameter_plan.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

const std::vector<std::string> kBert = {"bert.embeddings.word_embeddings.weight",
                                        "bert.embeddings.LayerNorm.bias",
                                        "bert.encoder.layer.0.attention.self.q.weight",
                                        "bert.encoder.layer.1.output.dense.bias",
                                        "bert.pooler.dense.weight",
                                        "classifier.weight"};
const std::vector<bool> kDecayed = {true, false, true, false, true, true};

TEST(ParameterPlan, TellsDepthsByNames) {
  using Depths = std::vector<std::int64_t>;
  EXPECT_EQ(layer_depths(kBert), (Depths{0, 0, 1, 2, 3, 3}));
  EXPECT_EQ(layer_depths({"model.embed_tokens.weight", "model.layers.11.mlp.up_proj.weight",
                          "model.norm.weight", "lm_head.weight"}),
            (Depths{0, 12, 13, 13}));
  EXPECT_EQ(layer_depths({"transformer.wte.weight", "transformer.wpe.weight",
                          "transformer.h.0.attn.c_attn.weight.1", "transformer.ln_f.weight"}),
            (Depths{0, 0, 1, 2}));
  EXPECT_EQ(layer_depths({"shared.weight", "encoder.block.3.layer.0.SelfAttention.q.weight",
                          "decoder.block.1.layer.2.layer_norm.weight",
                          "encoder.final_layer_norm.weight"}),
            (Depths{0, 4, 2, 5}));
  EXPECT_EQ(layer_depths({"base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"}),
            Depths{3});
}

TEST(ParameterPlan, TrainsEverythingAlikeByDefault) {
  for (std::size_t i = 0; i < kBert.size(); ++i) {
    const ParameterPlan plan = plan_parameters({}, kBert, kDecayed)[i];
    EXPECT_EQ(plan.decay, kDecayed[i]);
    EXPECT_FALSE(plan.frozen);
    EXPECT_EQ(plan.rate, 1);
    EXPECT_EQ(plan.first_step, 0);
  }
}

TEST(ParameterPlan, FreezesByPattern) {
  OptimConfig config;
  config.freeze = {"*embeddings*", "bert.encoder.layer.[0-0].*"};
  const auto plans = plan_parameters(config, kBert, kDecayed);
  std::vector<bool> frozen;
  for (const ParameterPlan& plan : plans) frozen.push_back(plan.frozen);
  EXPECT_EQ(frozen, (std::vector<bool>{true, true, true, false, false, false}));

  config.freeze = {"*embeddings*", "bert.encoder.layers.*"};
  test::expect_error(ErrorCode::kConfig, {"optim.freeze[1]", "'bert.encoder.layers.*'", "layer.1"},
                     [&] { plan_parameters(config, kBert, kDecayed); });
  config.freeze = {"*"};
  test::expect_error(ErrorCode::kConfig, {"optim.freeze", "nothing is left to train"},
                     [&] { plan_parameters(config, kBert, kDecayed); });
}

TEST(ParameterPlan, RatesAndBeginningsByDepth) {
  OptimConfig config;
  config.layer_decay = 0.5;
  config.unfreeze_steps = 10;
  const auto plans = plan_parameters(config, kBert, kDecayed);
  const std::vector<double> rates = {0.125, 0.125, 0.25, 0.5, 1, 1};
  const std::vector<std::int64_t> steps = {30, 30, 20, 10, 0, 0};
  for (std::size_t i = 0; i < kBert.size(); ++i) {
    EXPECT_EQ(plans[i].rate, rates[i]) << kBert[i];
    EXPECT_EQ(plans[i].first_step, steps[i]) << kBert[i];
  }
}

}  // namespace
}  // namespace llmctl
