// Linear layers: the form of the weight decides the products without gradients, and a copy in the
// products' dtype is made once for each change of the weight.
#include "nn/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "optim/optimizer.h"

namespace llmctl {
namespace {

std::shared_ptr<Linear> make_layer(std::int64_t inputs, std::int64_t outputs, bool bias = false) {
  auto layer = std::make_shared<Linear>(inputs, outputs, bias, at::TensorOptions());
  const c10::AutoGradMode no_grad(false);
  for (at::Tensor parameter : layer->parameters()) parameter.copy_(at::randn(parameter.sizes()));
  return layer;
}

Context in(at::ScalarType compute) {
  Context context;
  context.compute = compute;
  return context;
}

TEST(Linear, WithoutGradientsItIsWhatItIsWithThem) {
  const auto layer = make_layer(48, 20, true);
  const at::Tensor x = at::randn({2, 3, 48});
  const at::Tensor with = layer->forward(x, {}).detach();
  const c10::AutoGradMode no_grad(false);
  const at::Tensor without = layer->forward(x, {});
  EXPECT_EQ(without.sizes(), with.sizes());
  EXPECT_LE((with - without).abs().max().item<double>(), 1e-4);
  // The weight as it is, whatever dtype the products of training would have.
  EXPECT_TRUE(layer->forward(x, in(at::kBFloat16)).equal(without));
}

TEST(Linear, KeepsItsWeightInEveryForm) {
  for (const WeightForm form : {WeightForm::kBf16, WeightForm::kInt8, WeightForm::kInt4}) {
    const auto layer = make_layer(64, 20, true);
    const at::Tensor x = at::randn({5, 64});
    const c10::AutoGradMode no_grad(false);
    const at::Tensor exact = layer->forward(x, {});
    layer->set_form(form == WeightForm::kBf16 ? dense_weight(layer->weight.to(at::kBFloat16))
                                              : quantize_weight(layer->weight, form),
                    /*frozen=*/true);
    EXPECT_EQ(layer->form().form, form);
    const at::Tensor got = layer->forward(x, {});
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    const double tolerance = form == WeightForm::kInt4 ? 0.15 : 0.02;
    EXPECT_LE((got - exact).norm().item<double>(), tolerance * exact.norm().item<double>());
    EXPECT_FALSE(got.equal(exact));
  }
}

TEST(Linear, AQuantisedOneIsNotTrained) {
  const auto layer = make_layer(64, 20);
  layer->set_form(quantize_weight(layer->weight.detach(), WeightForm::kInt8), /*frozen=*/true);
  Context training;
  training.train = true;
  EXPECT_THROW(layer->forward(at::randn({2, 64}), training), Error);
  EXPECT_THROW(layer->forward(at::randn({2, 64}).set_requires_grad(true), {}), Error);
}

TEST(Linear, ACopyIsMadeOnceForEachStepOfTheOptimiser) {
  const auto layer = make_layer(32, 8);
  const at::Tensor first = layer->in_dtype(at::kBFloat16);
  const at::Tensor x = at::randn({4, 32});
  for (const char* type : {"adamw", "adam", "muon"}) {
    OptimConfig config;
    config.type = type;
    const auto optimizer = make_optimizer(config, {{"weight", layer->weight}}, {{.decay = true}});
    const at::Tensor before = layer->in_dtype(at::kBFloat16);
    for (int micro_batch = 0; micro_batch < 3; ++micro_batch) {
      layer->forward(x, in(at::kBFloat16)).sum().backward();
      EXPECT_TRUE(layer->in_dtype(at::kBFloat16).is_same(before)) << type;
    }
    optimizer->step(0.5, 1);
    const at::Tensor after = layer->in_dtype(at::kBFloat16);
    EXPECT_FALSE(after.is_same(before)) << type;
    EXPECT_FALSE(after.equal(before)) << type;
    EXPECT_TRUE(after.equal(layer->weight.detach().to(at::kBFloat16))) << type;
    layer->weight.mutable_grad() = at::Tensor();
  }
  EXPECT_FALSE(layer->in_dtype(at::kBFloat16).equal(first));
}

TEST(Linear, GradientsOfTheCopyAreThoseOfTheWeight) {
  const auto layer = make_layer(32, 8, true);
  const at::Tensor x = at::randn({4, 32});
  layer->forward(x, in(at::kBFloat16)).sum().backward();
  EXPECT_EQ(layer->weight.grad().scalar_type(), at::kFloat);
  const at::Tensor ones = at::randn({4, 8}).zero_().add_(1).to(at::kBFloat16);
  EXPECT_TRUE(layer->weight.grad().equal(at::mm(ones.t(), x.to(at::kBFloat16)).to(at::kFloat)));
}

}  // namespace
}  // namespace llmctl
