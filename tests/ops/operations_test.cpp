// Each operation against its definition in plain fp64 tensor code, forwards and backwards.
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "gradient_check.h"
#include "ops/activation.h"
#include "ops/backend.h"
#include "ops/cross_entropy.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "support/device.h"

namespace llmctl {
namespace {

using test::check_gradients;
using test::distance;
using Tensors = std::vector<at::Tensor>;

at::TensorOptions options(at::ScalarType type) {
  return at::TensorOptions().dtype(type).device(at::Device(test::test_device()));
}

/// Runs function and reference on fp32 copies and on fp64 copies of the inputs and compares values
/// and gradients.
void compare(const std::function<at::Tensor(const Tensors&)>& function,
             const std::function<at::Tensor(const Tensors&)>& reference, const Tensors& inputs,
             double tolerance) {
  Tensors single, exact;
  for (const auto& input : inputs) {
    single.push_back(input.detach().clone().to(at::kFloat).set_requires_grad(true));
    exact.push_back(single.back().detach().to(at::kDouble).set_requires_grad(true));
  }
  const at::Tensor got = function(single), wanted = reference(exact);
  EXPECT_LE(distance(got, wanted), tolerance);
  const at::Tensor weights = at::randn(wanted.sizes(), wanted.options());
  (got * weights.to(got.scalar_type())).sum().backward();
  (wanted * weights).sum().backward();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_LE(distance(single[i].grad(), exact[i].grad()), tolerance) << "gradient " << i;
  }
}

class Operations : public ::testing::Test {
 protected:
  void SetUp() override { seed_generator(at::Device(test::test_device()), 7); }
};

TEST_F(Operations, RmsNorm) {
  const auto reference = [](const Tensors& in) {
    const at::Tensor& x = in[0];
    return x / ((x * x).mean({-1}, true) + 1e-3).sqrt() * in[1];
  };
  const auto ours = [](const Tensors& in) {
    return rms_norm(in[0], in[1], 1e-3, in[0].scalar_type());
  };
  // Widths below, at and beside the kernels' steps, and shapes of several axes.
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{3, 5}, {2, 3, 16}, {7, 33}, {1, 300}}) {
    compare(ours, reference,
            {at::randn(shape, options(at::kFloat)), at::randn({shape.back()}, options(at::kFloat))},
            2e-5);
  }
  check_gradients(ours,
                  {at::randn({3, 5}, options(at::kDouble)), at::randn({5}, options(at::kDouble))});
}

TEST_F(Operations, RmsNormOfTransposedInput) {
  const at::Tensor x = at::randn({6, 4}, options(at::kFloat)).t();
  const at::Tensor weight = at::randn({6}, options(at::kFloat));
  EXPECT_LE(distance(rms_norm(x, weight, 1e-6, at::kFloat),
                     rms_norm(x.contiguous(), weight, 1e-6, at::kFloat)),
            0);
  EXPECT_EQ(rms_norm(x, weight, 1e-6, at::kBFloat16).scalar_type(), at::kBFloat16);
}

TEST_F(Operations, Rotary) {
  const at::Tensor frequencies = at::randn({4}, options(at::kFloat)).abs();
  for (bool own_positions : {false, true}) {
    const at::Tensor positions = own_positions ? at::randint(0, 50, {2, 3}, options(at::kLong))
                                               : at::arange(3, options(at::kLong));
    const auto [cosines, sines] = rotary_angles(positions, frequencies);
    const auto reference = [&, c = cosines, s = sines](const Tensors& in) {
      // As published with Hugging Face's models: x·cos + rotate_half(x)·sin on doubled angles.
      const at::Tensor cos = at::cat({c, c}, -1).to(in[0].scalar_type()).unsqueeze(-2);
      const at::Tensor sin = at::cat({s, s}, -1).to(in[0].scalar_type()).unsqueeze(-2);
      const at::Tensor turned = at::cat({-in[0].narrow(3, 4, 4), in[0].narrow(3, 0, 4)}, 3);
      return in[0] * cos + turned * sin;
    };
    const auto ours = [&, c = cosines, s = sines](const Tensors& in) {
      return rotary(in[0], c, s);
    };
    compare(ours, reference, {at::randn({2, 3, 5, 8}, options(at::kFloat))}, 1e-5);
    check_gradients(ours, {at::randn({2, 3, 1, 8}, options(at::kDouble))});
  }
}

TEST_F(Operations, RotaryKeepsLengthsAndRelativePositions) {
  const at::Tensor frequencies = at::randn({4}, options(at::kFloat)).abs();
  const at::Tensor q = at::randn({1, 1, 1, 8}, options(at::kFloat));
  const at::Tensor k = at::randn({1, 1, 1, 8}, options(at::kFloat));
  const auto at_position = [&](const at::Tensor& x, std::int64_t position) {
    const auto [c, s] =
        rotary_angles(at::zeros({1}, options(at::kLong)).add_(position), frequencies);
    return rotary(x, c, s);
  };
  EXPECT_NEAR(at_position(q, 9).norm().item<double>(), q.norm().item<double>(), 1e-5);
  EXPECT_NEAR((at_position(q, 9) * at_position(k, 4)).sum().item<double>(),
              (at_position(q, 25) * at_position(k, 20)).sum().item<double>(), 1e-4);
}

TEST_F(Operations, GatedProduct) {
  for (const std::string& name : activation_names()) {
    SCOPED_TRACE(name);
    const Activation activation = *find_activation(name);
    const auto ours = [&](const Tensors& in) { return gated_product(activation, in[0], in[1]); };
    const auto reference = [&](const Tensors& in) { return activate(activation, in[0]) * in[1]; };
    compare(ours, reference,
            {at::randn({7, 37}, options(at::kFloat)) * 4, at::randn({7, 37}, options(at::kFloat))},
            3e-5);
    check_gradients(
        ours, {at::randn({2, 3}, options(at::kDouble)), at::randn({2, 3}, options(at::kDouble))});
  }
  EXPECT_FALSE(find_activation("swoosh"));
}

TEST_F(Operations, SwigluFarFromZero) {
  const at::Tensor gate = at::cat({at::zeros({1}, options(at::kFloat)).add_(200.0),
                                   at::zeros({1}, options(at::kFloat)).sub_(200.0)});
  const at::Tensor out = gated_product(Activation::kSilu, gate, at::ones_like(gate));
  EXPECT_FLOAT_EQ(out[0].item<float>(), 200.0f);
  EXPECT_NEAR(out[1].item<float>(), 0.0f, 1e-30f);
}

TEST_F(Operations, ActivationsAreTheirDefinitions) {
  const at::Tensor x = at::arange(-40, 41, options(at::kDouble)) / 8;
  const auto expect = [&](const char* name, const at::Tensor& wanted) {
    EXPECT_LE(distance(activate(*find_activation(name), x), wanted), 1e-12) << name;
    EXPECT_LE(distance(activate(*find_activation(name), x.to(at::kFloat)), wanted), 2e-6) << name;
  };
  expect("gelu", x * 0.5 * (1 + (x / std::sqrt(2.0)).erf()));
  const at::Tensor tanh =
      x * 0.5 * (1 + (std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x.pow(3))).tanh());
  expect("gelu_new", tanh);
  expect("gelu_pytorch_tanh", tanh);
  expect("silu", x / (1 + (-x).exp()));
  expect("relu", x.clamp_min(0));
  expect("quick_gelu", x / (1 + (-1.702 * x).exp()));
  expect("tanh", x.tanh());
}

TEST_F(Operations, LinearEach) {
  for (bool bias : {false, true}) {
    const auto split = [&](const Tensors& in, const auto& each) {
      Tensors biases{bias ? in[3] : at::Tensor(), bias ? in[4] : at::Tensor()};
      return at::cat(each(in[0], Tensors{in[1], in[2]}, biases), -1);
    };
    const auto ours = [&](const Tensors& in) {
      return split(in, [](const at::Tensor& x, const Tensors& w, const Tensors& b) {
        return linear_each(x, w, b, x.scalar_type());
      });
    };
    const auto reference = [&](const Tensors& in) {
      return split(in, [](const at::Tensor& x, const Tensors& w, const Tensors& b) {
        Tensors outputs;
        for (std::size_t i = 0; i < w.size(); ++i) {
          const at::Tensor y = x.matmul(w[i].t());
          outputs.push_back(b[i].defined() ? y + b[i] : y);
        }
        return outputs;
      });
    };
    const auto inputs = [&](at::ScalarType type) {
      Tensors in{at::randn({2, 5, 4}, options(type)), at::randn({3, 4}, options(type)),
                 at::randn({6, 4}, options(type))};
      if (bias) {
        in.push_back(at::randn({3}, options(type)));
        in.push_back(at::randn({6}, options(type)));
      }
      return in;
    };
    compare(ours, reference, inputs(at::kFloat), 2e-5);
    check_gradients(ours, inputs(at::kDouble));
  }
}

TEST_F(Operations, LinearInBf16KeepsTheTypesOfItsInputs) {
  const at::Tensor x = at::randn({9, 16}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor w = at::randn({8, 16}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor b = at::randn({8}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor y = linear(x, w, b, at::kBFloat16);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_LE(distance(y, x.matmul(w.t()) + b), 0.2);
  y.to(at::kFloat).sum().backward();
  for (const at::Tensor& input : {x, w, b}) EXPECT_EQ(input.grad().scalar_type(), at::kFloat);
  EXPECT_LE(distance(b.grad(), at::zeros({8}, options(at::kFloat)).add_(9.0)), 0);
}

TEST_F(Operations, LinearOfFrozenWeight) {
  const at::Tensor x = at::randn({9, 4}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor w = at::randn({3, 4}, options(at::kFloat));
  linear(x, w, {}, at::kFloat).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

at::Tensor reference_loss(const Tensors& in, const at::Tensor& labels) {
  at::Tensor logits = in[0].matmul(in[1].t());
  if (in.size() > 2) logits = logits + in[2];
  return -at::log_softmax(logits, -1).gather(1, labels.unsqueeze(1)).sum();
}

TEST_F(Operations, LinearCrossEntropy) {
  // The second shape takes several chunks of rows.
  for (const auto& [rows, vocabulary] :
       {std::pair<std::int64_t, std::int64_t>{5, 37}, {200, 40000}}) {
    const at::Tensor labels = at::randint(0, vocabulary, {rows}, options(at::kLong));
    for (bool bias : {false, true}) {
      Tensors inputs{at::randn({rows, 6}, options(at::kFloat)),
                     at::randn({vocabulary, 6}, options(at::kFloat))};
      if (bias) inputs.push_back(at::randn({vocabulary}, options(at::kFloat)));
      compare(
          [&](const Tensors& in) {
            return linear_cross_entropy(in[0], in[1], in.size() > 2 ? in[2] : at::Tensor(), labels,
                                        at::kFloat) /
                   static_cast<double>(rows);
          },
          [&](const Tensors& in) { return reference_loss(in, labels) / static_cast<double>(rows); },
          inputs, 2e-5);
    }
  }
  const at::Tensor labels = at::randint(0, 7, {3}, options(at::kLong));
  check_gradients(
      [&](const Tensors& in) {
        return linear_cross_entropy(in[0], in[1], in[2], labels, at::kDouble);
      },
      {at::randn({3, 4}, options(at::kDouble)), at::randn({7, 4}, options(at::kDouble)),
       at::randn({7}, options(at::kDouble))});
}

TEST_F(Operations, LinearCrossEntropyByRow) {
  const at::Tensor rows = at::randn({6, 8}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor weight = at::randn({50, 8}, options(at::kFloat));
  const at::Tensor labels = at::randint(0, 50, {6}, options(at::kLong));
  at::Tensor with_gradient, without;
  const at::Tensor sum = linear_cross_entropy(rows, weight, {}, labels, at::kFloat, &with_gradient);
  {
    const c10::AutoGradMode no_grad(false);
    linear_cross_entropy(rows, weight, {}, labels, at::kFloat, &without);
  }
  const at::Tensor wanted =
      -at::log_softmax(rows.matmul(weight.t()), -1).gather(1, labels.unsqueeze(1)).squeeze(1);
  EXPECT_LE(distance(with_gradient, wanted), 1e-5);
  EXPECT_LE(distance(without, wanted), 1e-5);
  EXPECT_FALSE(with_gradient.requires_grad());
  sum.backward();
  EXPECT_TRUE(rows.grad().defined());
  EXPECT_FALSE(weight.grad().defined());
}

TEST_F(Operations, LinearCrossEntropyOfLargeLogits) {
  const at::Tensor rows = at::zeros({1, 1}, options(at::kFloat)).add_(1000.0);
  const at::Tensor weight = at::arange(3, options(at::kFloat)).view({3, 1});
  const at::Tensor best = at::zeros({1}, options(at::kLong)).add_(2);
  EXPECT_NEAR(linear_cross_entropy(rows, weight, {}, best, at::kFloat).item<double>(), 0, 1e-6);
  EXPECT_NEAR(linear_cross_entropy(rows, weight, {}, best - 1, at::kFloat).item<double>(), 1000,
              1e-2);
}

TEST_F(Operations, LinearCrossEntropyInBf16) {
  const at::Tensor rows = at::randn({40, 32}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor weight =
      (at::randn({90, 32}, options(at::kFloat)) * 0.1).set_requires_grad(true);
  const at::Tensor labels = at::randint(0, 90, {40}, options(at::kLong));
  const at::Tensor loss = linear_cross_entropy(rows, weight, {}, labels, at::kBFloat16);
  const double wanted = reference_loss({rows, weight}, labels).item<double>();
  EXPECT_NEAR(loss.item<double>(), wanted, 0.01 * wanted);
  loss.backward();
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(rows.grad().scalar_type(), at::kFloat);
}

TEST_F(Operations, LinearCrossEntropyRefusesLabelsOutside) {
  if (test::test_device() != "cpu") GTEST_SKIP() << "GPU kernels check labels by themselves";
  const at::Tensor rows = at::randn({2, 4}), weight = at::randn({5, 4});
  for (std::int64_t label : {-100, 5}) {
    const at::Tensor labels = at::zeros({2}, at::kLong).add_(label);
    try {
      linear_cross_entropy(rows, weight, {}, labels, at::kFloat);
      ADD_FAILURE() << label;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_NE(std::string(error.what()).find("vocabulary of 5"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace llmctl
