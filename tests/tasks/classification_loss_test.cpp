#include "tasks/classification_loss.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "support/fake_model.h"

namespace llmctl {
namespace {

using test::FakeModel;

constexpr double kKl = 0.21114704012870789, kBernoulliKl = 0.057498205453157425;

/// Four rows of one token each, whose logits are known.
class ClassificationLossTest : public testing::Test {
 protected:
  FakeModel model(std::int64_t width) const {
    FakeModel model(4, HeadKind::kSequenceClassification, width);
    const c10::AutoGradMode no_grad(false);
    const at::Tensor logits =
        at::tensor({2.0f, -1.0f, 0.5f, 0.25f, 1.5f, -0.75f, -2.0f, 0.0f, 3.0f, 1.0f, 1.0f, -1.0f})
            .reshape({4, 3});
    model.table().copy_(logits.narrow(1, 0, width));
    return model;
  }

  /// The mean as the loop takes it.
  double mean(ClassLossOptions options, const at::Tensor& labels, const at::Tensor& weights = {}) {
    FakeModel known = model(options.problem == ProblemType::kRegression ? 1 : 3);
    Batch batch;
    batch.input.ids = at::arange(4, at::kLong).unsqueeze(1);  // [4, 1]
    batch.labels = labels;
    batch.weights = weights;
    ClassificationLoss loss(known, std::move(options));
    const LossTerm term = loss.terms(batch, Context{}).front();
    EXPECT_EQ(term.count, loss.counts(batch).front().second);
    return term.sum.item<double>() / term.count;
  }

  const at::Tensor classes_ = at::tensor({0, 2, 2, 1}, at::kLong);
  const at::Tensor sets_ =
      at::tensor({1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0}, at::kLong).reshape({4, 3});
};

// The values are those of transformers 5.24 (ForSequenceClassificationLoss) and of torch 2.13.
TEST_F(ClassificationLossTest, OfEachProblemTypeAsTransformersComputesIt) {
  EXPECT_NEAR(mean({ProblemType::kSingleLabel}, classes_), 0.9088981747627258, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kMultiLabel}, sets_), 0.969744861125946, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kRegression}, at::tensor({1.0f, 0.5f, -2.5f, 4.0f})), 2.578125,
              1e-6);
}

TEST_F(ClassificationLossTest, ClassWeightsAndSmoothingAsTorchComputesThem) {
  const std::vector<double> weights = {0.5, 2.0, 3.0};
  const at::Tensor of_rows = at::tensor({0.5f, 3.0f, 3.0f, 2.0f});
  EXPECT_NEAR(mean({ProblemType::kSingleLabel, 0, 0, weights}, classes_, of_rows),
              1.1229267120361328, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kSingleLabel, 0.1}, classes_), 1.0026482343673706, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kSingleLabel, 0.1, 0, weights}, classes_, of_rows),
              1.167480230331421, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kMultiLabel, 0, 0, weights}, sets_), 1.0387144088745117, 1e-6);
}

TEST_F(ClassificationLossTest, FocalLossOfBothKinds) {
  EXPECT_NEAR(mean({ProblemType::kSingleLabel, 0, 2}, classes_), 0.6075863838195801, 1e-6);
  EXPECT_NEAR(mean({ProblemType::kMultiLabel, 0, 2}, sets_), 0.5722490549087524, 1e-6);
}

TEST_F(ClassificationLossTest, DistillationIsTheDivergenceFromTheTeacherAtItsTemperature) {
  // torch 2.13: kl_div(log_softmax(x / 2), softmax(t / 2), "batchmean"), and the mean over the
  // labels of the Bernoulli distributions' divergence.
  const at::Tensor teacher =
      at::tensor({1.0f, 0.0f, 0.0f, 0.5f, 0.5f, 2.0f, -1.0f, 0.0f, 1.0f, 3.0f, -1.0f, 0.0f})
          .reshape({4, 3});
  for (const auto& [problem, labels, expected] :
       {std::tuple{ProblemType::kSingleLabel, classes_, kKl},
        std::tuple{ProblemType::kMultiLabel, sets_, kBernoulliKl}}) {
    FakeModel known = model(3);
    ClassLossOptions options{problem};
    options.soft_share = 0.25;
    options.soft_temperature = 2;
    ClassificationLoss loss(known, options);
    Batch batch;
    batch.input.ids = at::arange(4, at::kLong).unsqueeze(1);
    batch.labels = labels;
    batch.weights = at::tensor({1.0f, 0.0f, 0.0f, 1.0f});
    batch.extras["teacher"] = teacher;
    const auto terms = loss.terms(batch, Context{});
    ASSERT_EQ(terms.size(), 2u);
    EXPECT_EQ(terms[0].coefficient, 0.75);
    EXPECT_EQ(terms[0].count, 2) << "rows without a label count for the teacher alone";
    EXPECT_EQ(terms[1].name, "distillation");
    EXPECT_EQ(terms[1].coefficient, 0.25 * 4);
    EXPECT_EQ(terms[1].count, 4);
    EXPECT_NEAR(terms[1].sum.item<double>() / 4, expected, 1e-6);
    const auto counts = loss.counts(batch);
    ASSERT_EQ(counts.size(), 2u);
    EXPECT_EQ(counts[1].second, 4);
  }
}

TEST_F(ClassificationLossTest, TwoViewsThatAreEqualDoNotDiverge) {
  FakeModel known = model(3);
  ClassLossOptions options;
  options.consistency = 3;
  ClassificationLoss loss(known, options);
  Batch batch;
  batch.input.ids = at::arange(4, at::kLong).unsqueeze(1);
  batch.labels = classes_;
  Context context;
  context.train = true;
  testing::internal::CaptureStderr();
  const auto terms = loss.terms(batch, context);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("task.consistency has no effect"),
            std::string::npos)
      << "this model has no dropout";
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[1].name, "consistency");
  EXPECT_EQ(terms[1].coefficient, 3);
  EXPECT_EQ(terms[1].sum.item<double>(), 0);
  EXPECT_NEAR(terms[0].sum.item<double>() / 4, 0.9088981747627258, 1e-6);
}

TEST_F(ClassificationLossTest, RowsCountByTheirWeights) {
  const at::Tensor first_only = at::tensor({2.0f, 0.0f, 0.0f, 0.0f});
  EXPECT_NEAR(mean({ProblemType::kRegression}, at::tensor({1.0f, 9.0f, 9.0f, 9.0f}), first_only), 1,
              1e-6);
  EXPECT_NEAR(
      mean({ProblemType::kMultiLabel}, sets_, first_only),
      (std::log1p(std::exp(-2.0)) + std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-0.5))) / 3,
      1e-6);
}

}  // namespace
}  // namespace llmctl
