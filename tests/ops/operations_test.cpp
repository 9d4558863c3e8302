// Each operation against its definition in plain fp64 tensor code, forwards and backwards.
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "gradient_check.h"
#include "kernel_targets.h"
#include "ops/activation.h"
#include "ops/backend.h"
#include "ops/cross_entropy.h"
#include "ops/gather_rows.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "support/device.h"

namespace llmctl {
namespace {

using test::check_gradients;

constexpr std::int64_t kIgnoreNothing = -100;  // no label has it
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

/// Each test runs once for every instruction set that this machine has kernels for.
class Operations : public test::KernelTargets {
 protected:
  void SetUp() override {
    KernelTargets::SetUp();
    seed_generator(at::Device(test::test_device()), 7);
  }
};

INSTANTIATE_TEST_SUITE_P(Kernels, Operations, test::kernel_targets(), test::target_name);

/// x / sqrt(mean(x²) + eps) · weight, or with a bias (x - mean) / sqrt(variance + eps) · weight +
/// bias.
at::Tensor reference_norm(at::Tensor x, const at::Tensor& weight, const at::Tensor& bias) {
  if (bias.defined()) x = x - x.mean({-1}, true);
  const at::Tensor scaled = x / ((x * x).mean({-1}, true) + 1e-3).sqrt() * weight;
  return bias.defined() ? scaled + bias : scaled;
}

NormParameters parameters(const at::Tensor& weight, const at::Tensor& bias) {
  return {weight, bias, 1e-3};
}

// Widths below, at and beside the kernels' steps, and shapes of several axes.
const std::vector<std::vector<std::int64_t>> kNormShapes = {
    {3, 5}, {2, 3, 16}, {7, 33}, {1, 300}, {40, 1}};

TEST_P(Operations, Norm) {
  for (bool centred : {false, true}) {
    const auto ours = [&](const Tensors& in) {
      return norm(in[0], parameters(in[1], centred ? in[2] : at::Tensor()), in[0].scalar_type());
    };
    const auto reference = [&](const Tensors& in) {
      return reference_norm(in[0], in[1], centred ? in[2] : at::Tensor());
    };
    const auto inputs = [&](const std::vector<std::int64_t>& shape, at::ScalarType type) {
      Tensors in{at::randn(shape, options(type)) + 1, at::randn({shape.back()}, options(type))};
      if (centred) in.push_back(at::randn({shape.back()}, options(type)));
      return in;
    };
    for (const auto& shape : kNormShapes) compare(ours, reference, inputs(shape, at::kFloat), 3e-5);
    check_gradients(ours, inputs({3, 5}, at::kDouble));
  }
}

TEST_P(Operations, AddNorm) {
  for (bool centred : {false, true}) {
    for (bool sum_used : {false, true}) {
      const auto bias = [&](const Tensors& in) { return centred ? in[3] : at::Tensor(); };
      const auto ours = [&](const Tensors& in) {
        const auto [sum, normed] =
            add_norm(in[0], in[1], parameters(in[2], bias(in)), in[0].scalar_type());
        return sum_used ? at::cat({sum, normed}) : normed;
      };
      const auto reference = [&](const Tensors& in) {
        const at::Tensor sum = in[0] + in[1], normed = reference_norm(sum, in[2], bias(in));
        return sum_used ? at::cat({sum, normed}) : normed;
      };
      const auto inputs = [&](const std::vector<std::int64_t>& shape, at::ScalarType type) {
        Tensors in{at::randn(shape, options(type)) + 1, at::randn(shape, options(type)),
                   at::randn({shape.back()}, options(type))};
        if (centred) in.push_back(at::randn({shape.back()}, options(type)));
        return in;
      };
      for (const auto& shape : kNormShapes) {
        compare(ours, reference, inputs(shape, at::kFloat), 3e-5);
      }
      check_gradients(ours, inputs({3, 5}, at::kDouble));
    }
  }
}

TEST_P(Operations, AddNormWhoseNormIsNotUsed) {
  const at::Tensor x = at::randn({2, 3}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor weight = at::randn({3}, options(at::kFloat)).set_requires_grad(true);
  add_norm(x, x, {weight, {}, 1e-3}, at::kFloat).first.sum().backward();
  EXPECT_LE(distance(x.grad(), at::ones_like(x) * 2), 0);
}

TEST_P(Operations, NormOfTransposedInput) {
  const at::Tensor x = at::randn({6, 4}, options(at::kFloat)).t();
  const NormParameters given{at::randn({6}, options(at::kFloat)), {}, 1e-6};
  EXPECT_LE(distance(norm(x, given, at::kFloat), norm(x.contiguous(), given, at::kFloat)), 0);
  EXPECT_EQ(norm(x, given, at::kBFloat16).scalar_type(), at::kBFloat16);
}

TEST_P(Operations, GatherRows) {
  const auto rows_of = [](std::vector<std::int64_t> rows) {
    return at::tensor(rows, at::kLong).to(at::Device(test::test_device()));
  };
  for (std::int64_t columns : {1, 5, 16, 70}) {
    // The first and the last row, a row twice, none at all.
    for (const auto& rows : {std::vector<std::int64_t>{0, 2, 2, 3, 8}, {7}, {}}) {
      const at::Tensor picked = rows_of(rows);
      const auto ours = [&](const Tensors& in) { return gather_rows(in[0], picked); };
      compare(
          ours, [&](const Tensors& in) { return at::index_select(in[0], 0, picked); },
          {at::randn({9, columns}, options(at::kFloat))}, 1e-6);
    }
  }
  check_gradients(
      [&](const Tensors& in) {
        return gather_rows(in[0], rows_of({0, 1, 1}));
      },
      {at::randn({4, 2}, options(at::kDouble))});
  if (test::test_device() == "cpu") {
    const at::Tensor x = at::randn({4, 2}, options(at::kFloat));
    for (const auto& rows : {std::vector<std::int64_t>{2, 1}, {4}, {-1}}) {
      EXPECT_THROW(gather_rows(x, rows_of(rows)), Error);
    }
  }
}

TEST_P(Operations, Rotary) {
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

TEST_P(Operations, RotaryKeepsLengthsAndRelativePositions) {
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

TEST_P(Operations, GatedProduct) {
  for (const std::string& name : activation_names()) {
    SCOPED_TRACE(name);
    const Activation activation = *find_activation(name);
    const auto ours = [&](const Tensors& in) { return gated_product(activation, in[0], in[1]); };
    const auto reference = [&](const Tensors& in) { return activate(activation, in[0]) * in[1]; };
    const auto alone = [&](const Tensors& in) { return activate(activation, in[0]); };
    compare(alone, alone, {at::randn({7, 37}, options(at::kFloat)) * 4}, 3e-5);
    check_gradients(alone, {at::randn({2, 3}, options(at::kDouble))});
    compare(ours, reference,
            {at::randn({7, 37}, options(at::kFloat)) * 4, at::randn({7, 37}, options(at::kFloat))},
            3e-5);
    check_gradients(
        ours, {at::randn({2, 3}, options(at::kDouble)), at::randn({2, 3}, options(at::kDouble))});
  }
  EXPECT_FALSE(find_activation("swoosh"));
}

TEST_P(Operations, WhatIsNotANumberStaysVisible) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor x = at::zeros({40}, options(at::kFloat)).add_(nan);
  for (const std::string& name : activation_names()) {
    EXPECT_TRUE(activate(*find_activation(name), x).isnan().all().item<bool>()) << name;
  }
  const at::Tensor rows = at::ones({1, 1}, options(at::kFloat));
  for (std::int64_t place : {0, 20, 36}) {
    at::Tensor weight = at::randn({37, 1}, options(at::kFloat));
    weight[place].fill_(nan);
    const at::Tensor labels = at::zeros({1}, options(at::kLong)).add_(5);
    EXPECT_TRUE(
        std::isnan(linear_cross_entropy(rows, weight, {}, labels, at::kFloat).item<double>()))
        << place;
  }
}

TEST_P(Operations, SwigluFarFromZero) {
  const at::Tensor gate = at::cat({at::zeros({1}, options(at::kFloat)).add_(200.0),
                                   at::zeros({1}, options(at::kFloat)).sub_(200.0)});
  const at::Tensor out = gated_product(Activation::kSilu, gate, at::ones_like(gate));
  EXPECT_FLOAT_EQ(out[0].item<float>(), 200.0f);
  EXPECT_NEAR(out[1].item<float>(), 0.0f, 1e-30f);
}

TEST_P(Operations, ActivationsAreTheirDefinitions) {
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

TEST_P(Operations, LinearEach) {
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

TEST_P(Operations, LinearInBf16KeepsTheTypesOfItsInputs) {
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

TEST_P(Operations, LogitsAreNotRounded) {
  const at::Tensor rows = at::randn({6, 64}, options(at::kFloat)).set_requires_grad(true);
  at::Tensor weight = at::randn({300, 64}, options(at::kFloat)) * 0.1;
  {
    // Two outputs that differ by less than bf16 can tell apart at their size.
    const c10::AutoGradMode no_grad(false);
    weight.select(0, 1).copy_(weight.select(0, 0) * 1.0009765625);
  }
  weight.set_requires_grad(true);
  const bool cpu = at::Device(test::test_device()).is_cpu();
  const auto operand = [&](const at::Tensor& x) {
    return cpu ? x.detach() : x.detach().to(at::kBFloat16).to(at::kFloat);
  };
  const at::Tensor logits = linear_logits(rows, weight, at::kBFloat16);
  EXPECT_EQ(logits.scalar_type(), at::kFloat);
  const at::Tensor wanted =
      at::mm(operand(rows).to(at::kDouble), operand(weight).to(at::kDouble).t());
  EXPECT_LE(distance(logits, wanted), 1e-5);
  if (cpu) EXPECT_FALSE(logits.select(1, 0).equal(logits.select(1, 1)));
  // The loss takes the same logits.
  const at::Tensor labels = at::randint(0, 300, {6}, options(at::kLong));
  at::Tensor losses;
  linear_cross_entropy(rows, weight, {}, labels, at::kBFloat16, &losses);
  const at::Tensor exact = -at::log_softmax(wanted, 1).gather(1, labels.unsqueeze(1)).squeeze(1);
  EXPECT_LE(distance(losses, exact), 1e-5);
  // Gradients are those of a product in bf16.
  (logits * logits.detach()).sum().backward();
  const at::Tensor gradient = logits.detach().to(at::kDouble);
  const auto expect_gradient = [](const at::Tensor& found, const at::Tensor& product) {
    // Half a unit of bf16's last place of the largest, for the operands and for the result.
    EXPECT_LE(distance(found, product), product.abs().max().item<double>() * 3 / 512);
  };
  expect_gradient(rows.grad(), at::mm(gradient, weight.detach().to(at::kDouble)));
  expect_gradient(weight.grad(), at::mm(gradient.t(), rows.detach().to(at::kDouble)));
}

TEST_P(Operations, LinearOfFrozenWeight) {
  const at::Tensor x = at::randn({9, 4}, options(at::kFloat)).set_requires_grad(true);
  const at::Tensor w = at::randn({3, 4}, options(at::kFloat));
  linear(x, w, {}, at::kFloat).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

at::Tensor reference_loss(const Tensors& in, const at::Tensor& labels, double smoothing = 0) {
  at::Tensor logits = in[0].matmul(in[1].t());
  if (in.size() > 2) logits = logits + in[2];
  return at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, kIgnoreNothing, smoothing);
}

TEST_P(Operations, LinearCrossEntropy) {
  // The second shape takes several chunks of rows.
  for (const auto& [rows, vocabulary] :
       {std::pair<std::int64_t, std::int64_t>{5, 37}, {200, 40000}}) {
    const at::Tensor labels = at::randint(0, vocabulary, {rows}, options(at::kLong));
    for (bool bias : {false, true}) {
      // Smoothed as torch's own cross-entropy does it.
      for (double smoothing : {0.0, 0.1}) {
        Tensors inputs{at::randn({rows, 6}, options(at::kFloat)),
                       at::randn({vocabulary, 6}, options(at::kFloat))};
        if (bias) inputs.push_back(at::randn({vocabulary}, options(at::kFloat)));
        compare(
            [&](const Tensors& in) {
              return linear_cross_entropy(in[0], in[1], in.size() > 2 ? in[2] : at::Tensor(),
                                          labels, {at::kFloat, smoothing}) /
                     static_cast<double>(rows);
            },
            [&](const Tensors& in) {
              return reference_loss(in, labels, smoothing) / static_cast<double>(rows);
            },
            inputs, 2e-5);
      }
    }
  }
  const at::Tensor labels = at::randint(0, 7, {3}, options(at::kLong));
  for (double smoothing : {0.0, 0.2}) {
    check_gradients(
        [&](const Tensors& in) {
          return linear_cross_entropy(in[0], in[1], in[2], labels, {at::kDouble, smoothing});
        },
        {at::randn({3, 4}, options(at::kDouble)), at::randn({7, 4}, options(at::kDouble)),
         at::randn({7}, options(at::kDouble))});
  }
}

TEST_P(Operations, LinearCrossEntropyByRow) {
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

TEST_P(Operations, LinearCrossEntropyOfLargeLogits) {
  const at::Tensor rows = at::zeros({1, 1}, options(at::kFloat)).add_(1000.0);
  const at::Tensor weight = at::arange(3, options(at::kFloat)).view({3, 1});
  const at::Tensor best = at::zeros({1}, options(at::kLong)).add_(2);
  EXPECT_NEAR(linear_cross_entropy(rows, weight, {}, best, at::kFloat).item<double>(), 0, 1e-6);
  EXPECT_NEAR(linear_cross_entropy(rows, weight, {}, best - 1, at::kFloat).item<double>(), 1000,
              1e-2);
}

TEST_P(Operations, LinearCrossEntropyInBf16) {
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

TEST_P(Operations, LinearCrossEntropyRefusesLabelsOutside) {
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
