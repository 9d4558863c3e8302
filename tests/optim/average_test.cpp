#include "optim/average.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/expect_error.h"

namespace llmctl {
namespace {

/// Sets the parameter to the number of the update.
class Counting : public Optimizer {
 public:
  explicit Counting(at::Tensor parameter) : parameter_(std::move(parameter)) {}
  void step(double, double) override { parameter_.fill_(static_cast<double>(++steps_)); }
  NamedTensors state() const override { return {{"own.w", at::full({1}, steps_)}}; }
  void load_state(const NamedTensors& state, std::int64_t steps) override {
    ASSERT_EQ(state.size(), 1u);
    EXPECT_EQ(state[0].first, "own.w");
    steps_ = steps;
  }

 private:
  at::Tensor parameter_;
  std::int64_t steps_ = 0;
};

double value(const at::Tensor& tensor) {
  return tensor[0].item<double>();
}

TEST(WeightAverage, MovesByTheDecayAndFasterInTheBeginning) {
  const at::Tensor w = at::full({1}, 0.0f);
  const auto optimizer = with_average(std::make_unique<Counting>(w), {{"w", w}}, 0.9);
  double average = 0;
  for (int t = 1; t <= 200; ++t) {
    optimizer->step(1, 1);
    const double decay = std::min(0.9, t / (t + 9.0));
    average = decay * average + (1 - decay) * t;
    EXPECT_EQ(value(w), t) << "training goes on with the weights themselves";
    const AveragedWeights averaged(*optimizer);
    EXPECT_NEAR(value(w), average, 1e-4 * (1 + average)) << t;
  }
  EXPECT_NEAR(average, 200 - 9, 0.1) << "a ramp is followed 1 / (1 - decay) - 1 behind";
}

TEST(WeightAverage, GoesOnFromItsStateBitForBit) {
  const at::Tensor w = at::full({1}, 0.0f);
  const auto optimizer = with_average(std::make_unique<Counting>(w), {{"w", w}}, 0.7);
  for (int t = 0; t < 5; ++t) optimizer->step(1, 1);
  at::Tensor saved;
  NamedTensors state;
  {
    const AveragedWeights averaged(*optimizer);  // as checkpoints are written
    saved = w.clone();
    for (const auto& [name, tensor] : optimizer->state()) state.emplace_back(name, tensor.clone());
  }
  const at::Tensor again = saved.clone();
  const auto resumed = with_average(std::make_unique<Counting>(again), {{"w", again}}, 0.7);
  resumed->load_state(state, 5);
  EXPECT_EQ(value(again), 5);
  for (const auto& one : {&optimizer, &resumed}) (*one)->step(1, 1);
  const AveragedWeights one(*optimizer), other(*resumed);
  EXPECT_TRUE(w.equal(again)) << w << again;
}

TEST(WeightAverage, RefusesAStateWithoutWeights) {
  const at::Tensor w = at::full({1}, 0.0f);
  const auto optimizer = with_average(std::make_unique<Counting>(w), {{"w", w}}, 0.7);
  test::expect_error(ErrorCode::kData, {"weights.w"}, [&] {
    optimizer->load_state({{"own.w", at::full({1}, 0.0f)}}, 1);
  });
}

}  // namespace
}  // namespace llmctl
