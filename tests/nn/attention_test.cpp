// Attention against the formula of the paper, head by head.
#include "nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "nn/dropout.h"
#include "support/device.h"

namespace llmctl {
namespace {

at::TensorOptions on_device() {
  return at::TensorOptions().device(at::Device(test::test_device()));
}

std::shared_ptr<Attention> make(const AttentionConfig& config) {
  auto attention = std::make_shared<Attention>(config, on_device());
  const c10::AutoGradMode no_grad(false);
  for (auto& parameter : attention->parameters()) {
    parameter.copy_(at::randn(parameter.sizes(), on_device()) * 0.5);
  }
  return attention;
}

/// softmax(Q·Kᵀ/√d + mask)·V for each head with its own rows of W_Q, W_K, W_V, concatenated, times
/// W_O; in fp64.
at::Tensor reference(const Attention& attention, const AttentionConfig& config, const at::Tensor& x,
                     const at::Tensor& seen) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
  const auto project = [&](const Linear& layer, std::int64_t head) {
    const at::Tensor weight =
        wide(layer.weight).narrow(0, head * config.head_size, config.head_size);
    at::Tensor result = at::matmul(wide(x), weight.t());
    if (layer.bias.defined()) {
      result = result + wide(layer.bias).narrow(0, head * config.head_size, config.head_size);
    }
    return result;
  };
  std::vector<at::Tensor> heads;
  for (std::int64_t h = 0; h < config.heads; ++h) {
    const std::int64_t group = h / (config.heads / config.kv_heads);
    const at::Tensor q = project(*attention.query, h), k = project(*attention.key, group),
                     v = project(*attention.value, group);
    at::Tensor scores =
        at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(config.head_size));
    scores =
        at::where(seen, scores, at::full_like(scores, -std::numeric_limits<double>::infinity()));
    heads.push_back(at::matmul(at::softmax(scores, -1), v));
  }
  at::Tensor out = at::matmul(at::cat(heads, -1), wide(attention.output->weight).t());
  if (attention.output->bias.defined()) out = out + wide(attention.output->bias);
  return out;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor documents() {
  return at::tensor({0, 0, 0, 1, 1, -1, 0, 0, 0, 0, -1, -1}, at::kLong)
      .view({2, 6})
      .to(at::Device(test::test_device()));
}

TEST(Attention, IsTheFormulaOfThePaper) {
  const at::Tensor x = at::randn({2, 6, 12}, on_device());
  for (std::int64_t kv_heads : {4, 2, 1}) {
    for (bool bias : {false, true}) {
      const AttentionConfig config{12, 4, kv_heads, 6, bias, bias, 0, {}, {}};
      const auto attention = make(config);
      for (bool causal : {false, true}) {
        for (bool packed : {false, true}) {
          const at::Tensor d =
              packed ? documents() : at::zeros({2, 6}, on_device().dtype(at::kLong));
          // Padding sees all that is none.
          at::Tensor seen = d.unsqueeze(2).eq(d.unsqueeze(1)).logical_or(d.lt(0).unsqueeze(2));
          seen = seen.logical_and(d.ge(0).unsqueeze(1));
          if (causal) seen = seen.tril();
          AttentionInputs inputs;
          inputs.mask = sequence_mask(d, packed ? d : at::Tensor(), causal);
          const at::Tensor got = attention->forward(x, inputs, 0, {});
          EXPECT_LE(distance(got, reference(*attention, config, x, seen)), 2e-5)
              << kv_heads << bias << causal << packed;
          Context tapped;
          at::Tensor map;
          const Tap tap = [&](const std::string& name, const at::Tensor& value) {
            EXPECT_EQ(name, "attentions.3");
            map = value;
          };
          tapped.tap = &tap;
          EXPECT_LE(distance(attention->forward(x, inputs, 3, tapped), got), 1e-6);
          ASSERT_EQ(map.sizes(), at::IntArrayRef({2, 4, 6, 6}));
          EXPECT_LE(distance(map.sum(-1), at::zeros({2, 4, 6}, on_device()) + 1), 1e-5);
          EXPECT_EQ((map * seen.logical_not().unsqueeze(1)).abs().max().item<double>(), 0);
        }
      }
    }
  }
}

TEST(AttentionMask, NeedsNoTensorWhereACausalOneWillDo) {
  const at::Tensor ids = at::zeros({2, 3}, at::kLong);
  EXPECT_TRUE(sequence_mask(ids, {}, true).causal);
  EXPECT_FALSE(sequence_mask(ids, {}, true).bias.defined());
  EXPECT_FALSE(sequence_mask(ids, {}, false).causal);
  const at::Tensor padded = at::tensor({0, 0, 0, 0, -1, -1}, at::kLong).view({2, 3});
  EXPECT_FALSE(sequence_mask(padded, padded, true).bias.defined());
  EXPECT_TRUE(sequence_mask(padded, padded, false).bias.defined());
  const at::Tensor packed = at::tensor({0, 1, -1}, at::kLong).view({1, 3});
  EXPECT_TRUE(sequence_mask(packed, packed, true).bias.defined());
  // A window as long as the text changes nothing.
  EXPECT_TRUE(sequence_mask(ids, {}, true, 3).causal);
}

TEST(AttentionMask, WindowsEndAtTheTokenItself) {
  const at::Tensor ids = at::zeros({1, 5}, at::kLong);
  const at::Tensor one = at::zeros({1, 5}, at::kLong);
  const at::Tensor two = at::tensor({0, 0, 0, 1, 1}, at::kLong).view({1, 5});
  for (const at::Tensor& documents : {at::Tensor(), one, two}) {
    const AttentionMask mask = sequence_mask(ids, documents, true, 2);
    ASSERT_FALSE(mask.causal);
    for (std::int64_t token = 0; token < 5; ++token) {
      for (std::int64_t other = 0; other < 5; ++other) {
        const bool near = other <= token && other > token - 2;
        const bool same = !documents.defined() ||
                          documents[0][token].item<int>() == documents[0][other].item<int>();
        EXPECT_EQ(mask.bias[0][0][token][other].item<float>() == 0, near && same)
            << token << " sees " << other;
      }
    }
  }
}

TEST(AttentionMask, OfMemoryLeavesOutItsPadding) {
  const at::Tensor states = at::zeros({2, 3, 4});
  const at::Tensor documents = at::tensor({0, 0, -1, -1, -1, -1}, at::kLong).view({2, 3});
  const AttentionMask mask = memory_mask({states, documents});
  EXPECT_EQ(mask.bias[0][0][0][1].item<float>(), 0);
  EXPECT_LT(mask.bias[0][0][0][2].item<float>(), -1e30);
  // Nothing but padding: everything is seen, so that no softmax is empty.
  EXPECT_EQ(mask.bias[1].abs().max().item<float>(), 0);
}

TEST(Attention, PaddingGivesNumbersAndNoGradient) {
  const AttentionConfig config{8, 2, 2, 4, false, false, 0, {}, {}};
  const auto attention = make(config);
  const at::Tensor x = at::randn({1, 4, 8}, on_device()).set_requires_grad(true);
  AttentionInputs inputs;
  const at::Tensor documents =
      at::tensor({0, 0, -1, -1}, at::kLong).view({1, 4}).to(at::Device(test::test_device()));
  inputs.mask = sequence_mask(documents, documents, false);
  const at::Tensor y = attention->forward(x, inputs, 0, {});
  EXPECT_TRUE(y.isfinite().all().item<bool>());
  y.narrow(1, 0, 2).sum().backward();
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  EXPECT_EQ(x.grad().narrow(1, 2, 2).abs().max().item<double>(), 0);
}

TEST(Attention, DropsProbabilitiesInTrainingOnly) {
  const AttentionConfig config{8, 2, 2, 4, false, false, 0.5, {}, {}};
  const auto attention = make(config);
  const at::Tensor x = at::randn({1, 4, 8}, on_device());
  AttentionInputs inputs;
  inputs.mask = sequence_mask(at::zeros({1, 4}, on_device().dtype(at::kLong)), {}, true);
  const auto run = [&](bool train, std::uint64_t seed) {
    Context context;
    context.train = train;
    context.dropout_seed = seed;
    seed_dropout(context, 0, x.device());
    return attention->forward(x, inputs, 0, context);
  };
  EXPECT_TRUE(run(true, 1).equal(run(true, 1)));
  EXPECT_FALSE(run(true, 1).equal(run(true, 2)));
  EXPECT_FALSE(run(true, 1).equal(run(false, 1)));
}

TEST(Dropout, DependsOnSeedAndBlockAlone) {
  const at::Tensor x = at::randn({1000}, on_device()).abs() + 1;
  const auto run = [&](std::uint64_t seed, std::int64_t block, bool train = true, double p = 0.25) {
    Context context;
    context.train = train;
    context.dropout_seed = seed;
    seed_dropout(context, block, x.device());
    return dropout(x, p, context);
  };
  EXPECT_TRUE(run(1, 0).equal(run(1, 0)));
  EXPECT_FALSE(run(1, 0).equal(run(1, 1)));
  EXPECT_FALSE(run(1, 0).equal(run(2, 0)));
  EXPECT_TRUE(run(1, 0, false).is_same(x));
  EXPECT_TRUE(run(1, 0, true, 0).is_same(x));
  const at::Tensor kept = run(1, 0);
  EXPECT_NEAR(kept.eq(0).sum().item<double>() / 1000, 0.25, 0.06);
  EXPECT_LE(distance(kept, kept.ne(0) * x / 0.75), 1e-5);
}

}  // namespace
}  // namespace llmctl
