#include "optim/muon.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_svdvals.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/backend.h"

namespace llmctl {
namespace {

TEST(Muon, UpdatesMatricesOfBlocksAlone) {
  const at::Tensor matrix = at::ones({2, 3}), vector = at::ones({3});
  EXPECT_TRUE(is_block_matrix("model.layers.10.mlp.up_proj.weight", matrix));
  EXPECT_TRUE(is_block_matrix("bert.encoder.layer.0.output.dense.weight", matrix));
  EXPECT_FALSE(is_block_matrix("bert.encoder.layer.0.output.dense.bias", vector));
  EXPECT_FALSE(is_block_matrix("model.embed_tokens.weight", matrix));
  EXPECT_FALSE(is_block_matrix("lm_head.weight", matrix));
  EXPECT_FALSE(is_block_matrix("layer1.weight", matrix));
}

TEST(Muon, OrthogonalizesWideAndTallMatrices) {
  // Five steps of Newton-Schulz do not lift the smallest singular value of every square matrix.
  seed_generator(at::Device(at::kCPU), 7);
  for (const auto& shape : {std::vector<std::int64_t>{6, 20}, {20, 6}, {8, 8}}) {
    const at::Tensor x = orthogonalize(at::randn(shape));
    EXPECT_EQ(x.sizes().vec(), shape);
    const at::Tensor values = at::linalg_svdvals(x);
    EXPECT_GT(values.min().item<double>(), 0.3);
    EXPECT_LT(values.max().item<double>(), 1.4);
  }
}

/// Two parameters with gradients: a block's matrix and an embedding.
NamedTensors parameters() {
  NamedTensors out = {{"layers.0.weight", at::ones({2, 2})}, {"embed.weight", at::ones({2, 2})}};
  for (auto& [name, tensor] : out) tensor.mutable_grad() = at::eye(2) * 8.0;
  return out;
}

TEST(Muon, StepsByTheOrthogonalDirectionWhateverTheGradientsSize) {
  OptimConfig config;
  config.type = "muon";
  config.weight_decay = 0;
  NamedTensors small = parameters(), large = parameters();
  large[0].second.mutable_grad() = at::eye(2) * 800.0;
  make_optimizer(config, small, {{.decay = true}, {.decay = true}})->step(0.1, 4.0);
  make_optimizer(config, large, {{.decay = true}, {.decay = true}})->step(0.1, 4.0);
  EXPECT_TRUE(at::allclose(small[0].second, large[0].second));
  // The direction is orthogonal with positive diagonal: near the identity, of size 0.2·√2.
  const double moved = 1 - small[0].second[0][0].item<double>();
  EXPECT_NEAR(moved, 0.1 * 3 * 0.2 * std::sqrt(2.0), 0.35 * moved);
  EXPECT_NEAR(small[0].second[0][1].item<double>(), 1.0, 1e-6);
  // The embedding follows AdamW: the first step is lr.
  EXPECT_NEAR(small[1].second[0][0].item<double>(), 0.9, 1e-5);
}

TEST(Muon, ItsStateIsLoadedToTheSameNextStep) {
  OptimConfig config;
  config.type = "muon";
  NamedTensors first = parameters();
  const auto optimizer = make_optimizer(config, first, {{.decay = true}, {.decay = false}});
  optimizer->step(0.1, 1.0);
  NamedTensors second = first;
  for (auto& [name, tensor] : second) {
    tensor = tensor.clone();
    tensor.mutable_grad() = at::eye(2) * 3.0;
  }
  NamedTensors saved;
  for (const auto& [name, tensor] : optimizer->state()) saved.emplace_back(name, tensor.clone());
  const auto resumed = make_optimizer(config, second, {{.decay = true}, {.decay = false}});
  resumed->load_state(saved, 1);
  for (auto& [name, tensor] : first) tensor.mutable_grad() = at::eye(2) * 3.0;
  optimizer->step(0.1, 1.0);
  resumed->step(0.1, 1.0);
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_TRUE(first[i].second.equal(second[i].second)) << first[i].first;
}

}  // namespace
}  // namespace llmctl
