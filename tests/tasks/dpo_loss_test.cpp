#include "tasks/dpo_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/collate.h"
#include "support/fake_model.h"

namespace llmctl {
namespace {

TEST(DpoLoss, FollowsTheRules) {
  const at::Tensor two = at::tensor({2.0f, 2.0f});
  const PairLogProbabilities policy{at::tensor({-1.0f, -4.0f}), at::tensor({-3.0f, -2.0f}), two,
                                    two};
  const PairLogProbabilities reference{at::tensor({-1.5f, -3.0f}), at::tensor({-2.5f, -3.5f}), two,
                                       two};
  // How much more than the reference: (2 - 1) and (-2 - 0.5).
  const double more[] = {1.0, -2.5};
  const auto loss = [&](const DpoRule& rule, int pair) {
    return dpo_losses(rule, policy, reference)[pair].item<double>();
  };
  const auto log_sigmoid = [](double x) { return -std::log1p(std::exp(-x)); };
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(loss({"sigmoid", 0.5, 0}, i), -log_sigmoid(0.5 * more[i]), 1e-6);
    EXPECT_NEAR(loss({"sigmoid", 0.5, 0.2}, i),
                -0.8 * log_sigmoid(0.5 * more[i]) - 0.2 * log_sigmoid(-0.5 * more[i]), 1e-6);
    EXPECT_NEAR(loss({"hinge", 0.5, 0}, i), std::max(0.0, 1 - 0.5 * more[i]), 1e-6);
    EXPECT_NEAR(loss({"ipo", 0.5, 0}, i), (more[i] / 2 - 1) * (more[i] / 2 - 1), 1e-5);
  }
  const PairTotals totals = pair_totals({"sigmoid", 0.5, 0}, policy, reference);
  EXPECT_EQ(totals.right, 1);
  EXPECT_NEAR(totals.margin, 0.5 * (more[0] + more[1]), 1e-6);
  EXPECT_NEAR(totals.chosen, 0.5 * (0.5 - 1.0), 1e-6);
  EXPECT_NEAR(totals.rejected, 0.5 * (-0.5 + 1.5), 1e-6);
}

/// Chosen [1 2 3] and [1 2], rejected [1 4] and [1 2 4]; what stands behind the first is learned.
Batch small_batch() {
  const auto row = [](std::vector<std::int64_t> ids, std::vector<std::int64_t> labels) {
    TokenRow made;
    made.ids = std::move(ids);
    made.labels = std::move(labels);
    return made;
  };
  return collate(
      std::vector{row({1, 2}, {2, 3}), row({1}, {2}), row({1}, {4}), row({1, 2}, {2, 4})}, 0);
}

TEST(DpoLoss, ItsGradientIsTheDerivative) {
  const auto table = [](test::FakeModel& model) {
    const c10::AutoGradMode no_grad(false);
    for (std::int64_t i = 0; i < model.table().numel(); ++i) {
      model.table().view({-1})[i].fill_(0.3 * std::sin(static_cast<double>(i)));
    }
  };
  for (const char* type : {"sigmoid", "hinge", "ipo"}) {
    SCOPED_TRACE(type);
    test::FakeModel model(6);
    table(model);
    const auto reference = std::make_shared<test::FakeModel>(6);
    const auto loss = make_dpo_loss(model, reference, {type, 0.3, 0});
    const Batch batch = small_batch();
    EXPECT_EQ(loss->counts(batch).front().second, 2);
    Context context;
    context.train = true;
    const auto value = [&] { return loss->terms(batch, context).front().sum; };
    value().backward();
    const at::Tensor gradient = model.table().grad().clone();
    for (const std::int64_t at : {6 + 2, 6 + 4, 12 + 3, 12 + 4, 12 + 5}) {
      const c10::AutoGradMode no_grad(false);
      at::Tensor number = model.table().view({-1})[at];
      constexpr double kStep = 1e-2;
      number.add_(kStep);
      const double more = value().item<double>();
      number.add_(-2 * kStep);
      const double less = value().item<double>();
      number.add_(kStep);
      EXPECT_NEAR(gradient.view({-1})[at].item<double>(), (more - less) / (2 * kStep), 2e-3) << at;
    }
    EXPECT_FALSE(reference->table().grad().defined());
  }
}

}  // namespace
}  // namespace llmctl
