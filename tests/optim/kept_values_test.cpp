#include "optim/kept_values.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "optim/average.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

NamedTensors copies(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace_back(name, tensor.clone());
  return copies;
}

/// An optimiser of one parameter that no model holds, with an average of it.
struct Kept {
  explicit Kept(double begin) : w(at::full({2}, begin, at::kFloat).set_requires_grad(true)) {
    OptimConfig config;
    config.ema = 0.5;
    const NamedTensors parameters = {{"map", w}};
    optimizer =
        with_values(make_optimizer(config, parameters, {ParameterPlan{.decay = true}}), parameters);
  }
  void step() const {
    w.mutable_grad() = at::full({2}, 1.0f) + w.detach();
    optimizer->step(0.1, 1);
  }
  at::Tensor w;
  std::unique_ptr<Optimizer> optimizer;
};

TEST(KeptValues, GoOnFromAStateBitForBit) {
  const Kept first(2);
  for (int i = 0; i < 4; ++i) first.step();
  NamedTensors state;
  {
    const AveragedWeights averaged(*first.optimizer);  // as checkpoints are written
    state = copies(first.optimizer->state());
  }
  const Kept second(-7);
  second.optimizer->load_state(state, 4);
  EXPECT_TRUE(second.w.equal(first.w));
  for (int i = 0; i < 3; ++i) {
    first.step();
    second.step();
  }
  EXPECT_TRUE(second.w.equal(first.w));
}

TEST(KeptValues, RefusesAStateWithoutThem) {
  const Kept kept(1);
  NamedTensors state = copies(kept.optimizer->state());
  std::erase_if(state, [](const auto& entry) { return entry.first == "value.map"; });
  test::expect_error(ErrorCode::kData, {"value.map"},
                     [&] { kept.optimizer->load_state(state, 0); });
}

}  // namespace
}  // namespace llmctl
