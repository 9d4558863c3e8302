#include "optim/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/device.h"

namespace llmctl {
namespace {

at::TensorOptions on_device() {
  return at::TensorOptions().device(at::Device(test::test_device()));
}

/// The published rules, element by element in fp64.
struct Reference {
  double value, average = 0, square = 0;
  void step(const OptimConfig& config, double gradient, double lr, bool decay, int step) {
    const double weight_decay = decay ? config.weight_decay : 0;
    if (config.type == "adam") gradient += weight_decay * value;
    average = config.beta1 * average + (1 - config.beta1) * gradient;
    square = config.beta2 * square + (1 - config.beta2) * gradient * gradient;
    if (config.type == "adamw") value -= lr * weight_decay * value;
    const double corrected = average / (1 - std::pow(config.beta1, step));
    const double root = std::sqrt(square / (1 - std::pow(config.beta2, step))) + config.eps;
    value -= lr * corrected / root;
  }
};

class OptimizerOfType : public ::testing::TestWithParam<const char*> {
 protected:
  OptimConfig config() const {
    OptimConfig config;
    config.type = GetParam();
    config.weight_decay = 0.3;
    return config;
  }
};

TEST_P(OptimizerOfType, FollowsThePublishedRule) {
  const at::Tensor a = at::randn({3, 21}, on_device()), b = at::randn({5}, on_device());
  const NamedTensors parameters{{"a", a}, {"b", b}};
  std::vector<Reference> references;
  for (const auto& tensor : {a, b}) {
    const at::Tensor flat = tensor.reshape({-1}).to(at::kCPU);
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
      references.push_back({flat[i].item<double>()});
    }
  }
  const auto optimizer = make_optimizer(config(), parameters, {{.decay = true}, {.decay = false}});
  for (int step = 1; step <= 4; ++step) {
    const double lr = 0.1 / step, divisor = step == 3 ? 1.0 : 2.5;
    std::size_t next = 0;
    for (const auto& [name, tensor] : parameters) {
      tensor.mutable_grad() = at::randn(tensor.sizes(), on_device());
      const at::Tensor flat = tensor.grad().reshape({-1}).to(at::kCPU).clone();
      for (std::int64_t i = 0; i < flat.numel(); ++i) {
        references[next++].step(config(), flat[i].item<double>() / divisor, lr, name == "a", step);
      }
    }
    optimizer->step(lr, divisor);
    next = 0;
    for (const auto& [name, tensor] : parameters) {
      const at::Tensor flat = tensor.reshape({-1}).to(at::kCPU);
      for (std::int64_t i = 0; i < flat.numel(); ++i) {
        EXPECT_NEAR(flat[i].item<double>(), references[next++].value, 2e-6)
            << name << " " << i << " step " << step;
      }
    }
  }
}

TEST_P(OptimizerOfType, GoesOnFromItsState) {
  const auto run = [&](bool interrupted) {
    const at::Tensor x = at::ones({4, 4}, on_device());
    const NamedTensors parameters{{"x", x}};
    auto optimizer = make_optimizer(config(), parameters, {{.decay = true}});
    for (int step = 0; step < 6; ++step) {
      if (interrupted && step == 3) {
        NamedTensors saved;
        for (const auto& [name, tensor] : optimizer->state())
          saved.emplace_back(name, tensor.clone());
        optimizer = make_optimizer(config(), parameters, {{.decay = true}});
        optimizer->load_state(saved, step);
      }
      x.mutable_grad() = at::ones({4, 4}, on_device()) * (step + 1) * 0.1;
      optimizer->step(0.01, 1);
    }
    return x;
  };
  EXPECT_TRUE(run(true).equal(run(false)));
}

TEST_P(OptimizerOfType, LeavesParametersWithoutGradient) {
  const at::Tensor x = at::ones({4}, on_device()), y = at::ones({4}, on_device());
  x.mutable_grad() = at::ones({4}, on_device());
  make_optimizer(config(), {{"x", x}, {"y", y}}, {{.decay = true}, {.decay = true}})->step(0.1, 1);
  EXPECT_FALSE(x.equal(at::ones({4}, on_device())));
  EXPECT_TRUE(y.equal(at::ones({4}, on_device())));
}

TEST_P(OptimizerOfType, ARateOfItsOwnIsALearningRateOfItsOwn) {
  const at::Tensor x = at::ones({4}, on_device()), y = at::ones({4}, on_device());
  const auto both = make_optimizer(config(), {{"x", x}, {"y", y}}, {{.rate = 0.5}, {.rate = 1}});
  const at::Tensor alone = at::ones({4}, on_device());
  const auto half = make_optimizer(config(), {{"x", alone}}, {{}});
  for (int step = 0; step < 3; ++step) {
    for (const at::Tensor& each : {x, y, alone}) {
      each.mutable_grad() = at::ones({4}, on_device()) * (0.3 + step);
    }
    both->step(0.1, 1);
    half->step(0.05, 1);
  }
  EXPECT_TRUE(x.equal(alone));
  EXPECT_FALSE(y.equal(alone));
}

TEST_P(OptimizerOfType, OneThatBeginsLaterIsTrainedAsFromTheBeginning) {
  const at::Tensor early = at::ones({4}, on_device()), late = at::ones({4}, on_device());
  const auto both = make_optimizer(config(), {{"early", early}, {"late", late}},
                                   {{.first_step = 0}, {.first_step = 3}});
  const at::Tensor alone = at::ones({4}, on_device());
  const auto fresh = make_optimizer(config(), {{"late", alone}}, {{}});
  for (int step = 0; step < 6; ++step) {
    early.mutable_grad() = at::ones({4}, on_device());
    if (step >= 3) {
      for (const at::Tensor& each : {late, alone}) {
        each.mutable_grad() = at::ones({4}, on_device()) * (0.5 + step);
      }
      fresh->step(0.1, 1);
    }
    both->step(0.1, 1);
  }
  EXPECT_TRUE(late.equal(alone));
}

INSTANTIATE_TEST_SUITE_P(Types, OptimizerOfType, ::testing::Values("adamw", "adam"));

TEST(Optimizer, NamesItsState) {
  const auto optimizer =
      make_optimizer({}, {{"model.norm.weight", at::ones({4}, on_device())}}, {{.decay = false}});
  const NamedTensors state = optimizer->state();
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].first, "exp_avg.model.norm.weight");
  EXPECT_EQ(state[1].first, "exp_avg_sq.model.norm.weight");
  EXPECT_EQ(state[1].second.sizes(), at::IntArrayRef({4}));
}

TEST(Optimizer, RefusesStateOfAnotherModel) {
  const auto optimizer =
      make_optimizer({}, {{"x", at::ones({4}, on_device())}}, {{.decay = false}});
  const auto expect = [&](const NamedTensors& state, const std::string& part) {
    try {
      optimizer->load_state(state, 1);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  const at::Tensor four = at::zeros({4}), five = at::zeros({5});
  expect({{"exp_avg.x", four}}, "lacks tensor exp_avg_sq.x");
  expect({{"exp_avg.x", four}, {"exp_avg_sq.x", five}}, "exp_avg_sq.x has another shape");
  expect({{"exp_avg.x", four}, {"exp_avg_sq.x", four}, {"exp_avg.z", four}}, "too many: exp_avg.z");
}

TEST(Optimizer, GradientSquareSum) {
  const at::Tensor x = at::ones({3}, on_device()), y = at::ones({2, 2}, on_device()),
                   z = at::ones({1}, on_device());
  EXPECT_EQ(gradient_square_sum({{"x", x}}), 0);
  x.mutable_grad() = at::ones({3}, on_device()) * 2;
  y.mutable_grad() = at::ones({2, 2}, on_device()) * -3;
  EXPECT_NEAR(gradient_square_sum({{"x", x}, {"y", y}, {"z", z}}), 12 + 36, 1e-4);
  y.mutable_grad()[0][0] = std::nan("");
  EXPECT_TRUE(std::isnan(gradient_square_sum({{"x", x}, {"y", y}})));
}

TEST(LearningRate, WarmsUp) {
  OptimConfig config;
  config.lr = 1;
  config.warmup_steps = 4;
  for (const char* schedule : {"cosine", "linear", "constant", "inverse_sqrt"}) {
    config.schedule = schedule;
    EXPECT_DOUBLE_EQ(learning_rate(config, 0, 100), 0.25) << schedule;
    EXPECT_DOUBLE_EQ(learning_rate(config, 3, 100), 1) << schedule;
    EXPECT_NEAR(learning_rate(config, 4, 100), 1, 1e-9) << schedule;
  }
  config.warmup_steps = 0;
  for (const char* schedule : {"cosine", "linear", "constant", "inverse_sqrt"}) {
    config.schedule = schedule;
    EXPECT_DOUBLE_EQ(learning_rate(config, 0, 100), 1) << schedule;
  }
}

TEST(LearningRate, Decays) {
  OptimConfig config;
  config.lr = 2;
  config.min_lr_ratio = 0.1;
  config.warmup_steps = 10;
  config.schedule = "cosine";
  EXPECT_NEAR(learning_rate(config, 99, 100), 0.2, 1e-12);
  EXPECT_NEAR(learning_rate(config, 500, 100), 0.2, 1e-12);
  EXPECT_GT(learning_rate(config, 30, 100), learning_rate(config, 31, 100));
  config.schedule = "linear";
  EXPECT_NEAR(learning_rate(config, 99, 100), 0.2, 1e-12);
  config.decay_steps = 21;
  EXPECT_NEAR(learning_rate(config, 15, 100), 1.1, 1e-12);
  EXPECT_NEAR(learning_rate(config, 20, 100), 0.2, 1e-12);
  EXPECT_NEAR(learning_rate(config, 60, 100), 0.2, 1e-12);
  config.schedule = "constant";
  EXPECT_EQ(learning_rate(config, 99, 100), 2);
  config.schedule = "inverse_sqrt";
  EXPECT_NEAR(learning_rate(config, 40, 100), 1, 1e-12);
  EXPECT_NEAR(learning_rate(config, 1'000'000, 100), 0.2, 1e-12);
}

TEST(LearningRate, OfRunsShorterThanTheirWarmUp) {
  OptimConfig config;
  config.lr = 1;
  config.warmup_steps = 10;
  for (std::int64_t step = 0; step < 5; ++step) {
    EXPECT_DOUBLE_EQ(learning_rate(config, step, 5), 0.1 * static_cast<double>(step + 1));
  }
  EXPECT_TRUE(std::isfinite(learning_rate(config, 10, 11)));
}

}  // namespace
}  // namespace llmctl
