// Hidden states of a student drawn to those of its teacher, with distances worked out from what
// both models' forward passes tap.
#include "tasks/hidden_distillation.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/tiny_models.h"
#include "tasks/classification_loss.h"

namespace llmctl::test {
namespace {

Json bert(std::int64_t width, std::int64_t layers) {
  Json section = tiny_section("bert");
  section["hidden_size"] = width;
  section["num_hidden_layers"] = layers;
  section["hidden_dropout_prob"] = 0;
  section["attention_probs_dropout_prob"] = 0;
  return section;
}

std::shared_ptr<Model> classifier(std::int64_t width, std::int64_t layers, std::uint64_t seed) {
  return create(bert(width, layers),
                {.head = HeadKind::kSequenceClassification, .labels = {"a", "b"}, .seed = seed});
}

HiddenDistillation::States states_of(Model& model, const Sequence& input) {
  HiddenDistillation::States states;
  const Tap tap = [&](const std::string& name, const at::Tensor& value) { states[name] = value; };
  Context context;
  context.tap = &tap;
  context.tap_attentions = false;
  model.hidden(input, context);
  return states;
}

/// Two rows of five tokens, the second one with two of padding.
Sequence padded() {
  Sequence input = tokens(2, 5);
  input.documents = at::zeros({2, 5}, at::kLong);
  input.documents[1].narrow(0, 3, 2).fill_(-1);
  input.documents = input.documents.to(device());
  return input;
}

double distance(const at::Tensor& own, const at::Tensor& wanted, bool cosine) {
  const std::int64_t width = own.size(0);
  double square = 0, product = 0, own_square = 0, wanted_square = 0;
  for (std::int64_t d = 0; d < width; ++d) {
    const double a = own[d].item<float>(), b = wanted[d].item<float>();
    square += (a - b) * (a - b);
    product += a * b;
    own_square += a * a;
    wanted_square += b * b;
  }
  return cosine ? 1 - product / std::sqrt(own_square * wanted_square)
                : square / static_cast<double>(width);
}

TEST(HiddenDistillation, IsTheMeanDistanceOfTheChosenLayers) {
  const auto teacher = classifier(16, 4, 1), student = classifier(16, 2, 2);
  const Sequence input = padded();
  const auto own = states_of(*student, input), wanted = states_of(*teacher, input);
  EXPECT_FALSE(own.contains("attentions.0"));
  const std::vector<std::pair<int, int>> by_depth = {{0, 0}, {1, 2}, {2, 4}}, last = {{2, 4}};
  for (const bool cosine : {false, true}) {
    for (const auto& pairs : {by_depth, last}) {
      DistillationConfig config;
      config.hidden_weight = 3;
      config.hidden_loss = cosine ? "cosine" : "mse";
      if (pairs.size() == 1) config.hidden_layers = {{2, 4}};
      double expected = 0;
      for (const auto& [from, to] : pairs) {
        for (const auto& [b, length] : {std::pair{0, 5}, {1, 3}}) {
          for (int t = 0; t < length; ++t)
            expected += distance(own.at(concat("hidden_states.", from))[b][t].cpu(),
                                 wanted.at(concat("hidden_states.", to))[b][t].cpu(), cosine);
        }
      }
      expected /= static_cast<double>(pairs.size());
      HiddenDistillation hidden(teacher, *student, config);
      EXPECT_TRUE(hidden.parameters().empty());
      EXPECT_NEAR(hidden.sum(own, input, {}).item<double>(), expected, 1e-4 * expected);
    }
  }
}

TEST(HiddenDistillation, MapsStandBetweenOtherWidths) {
  const auto teacher = classifier(24, 2, 1), student = classifier(16, 2, 2);
  DistillationConfig config;
  config.hidden_weight = 0.5;
  ClassLossOptions options;
  options.hidden = std::make_shared<HiddenDistillation>(teacher, *student, config);
  ClassificationLoss loss(*student, options);
  const auto maps = loss.parameters();
  ASSERT_EQ(maps.size(), 3u);
  EXPECT_EQ(maps[2].first, "distillation.map.2");
  EXPECT_EQ(maps[0].second.sizes(), (std::vector<std::int64_t>{24, 16}));
  EXPECT_FALSE(maps[0].second.equal(maps[1].second));
  Batch batch;
  batch.input = padded();
  batch.labels = at::zeros({2}, at::kLong).to(device());
  const auto terms = loss.terms(batch, {});
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[1].name, "hidden");
  EXPECT_EQ(terms[1].count, 8) << "tokens that are no padding";
  EXPECT_EQ(terms[1].coefficient, 0.5);
  EXPECT_EQ(loss.counts(batch)[1], (std::pair<std::string, double>{"hidden", 8}));
  terms[1].sum.backward();
  for (const auto& [name, map] : maps) EXPECT_GT(map.grad().abs().max().item<double>(), 0) << name;
  int learnt = 0;
  for (const auto& [name, parameter] : student->parameters()) learnt += parameter.grad().defined();
  EXPECT_GT(learnt, 20);
  for (const auto& [name, parameter] : teacher->parameters())
    EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST(HiddenDistillation, RefusesLayersThatDoNotFit) {
  const auto teacher = classifier(16, 3, 1), student = classifier(16, 2, 2);
  DistillationConfig config;
  const auto refused = [&](const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kConfig, parts, [&] { HiddenDistillation(teacher, *student, config); });
  };
  refused({"task.distillation.hidden_layers", "3 layers", "no multiple of the model's 2"});
  config.hidden_layers = {{0, 0}, {2, 4}};
  refused({"task.distillation.hidden_layers", "[2, 4]", "0 to 2", "0 to 3"});
}

TEST(HiddenDistillation, ASecondViewOfItsOwn) {
  const auto student = classifier(16, 1, 2);
  ClassLossOptions options;
  options.consistency = 1;
  ClassificationLoss loss(*student, options);
  Batch batch, view;
  batch.input = padded();
  batch.labels = at::zeros({2}, at::kLong).to(device());
  EXPECT_EQ(loss.terms(batch, {})[1].sum.item<double>(), 0);
  view.input = padded();
  add_second_view(view, batch);
  const at::Tensor first = class_logits(*student, batch.input, {}).softmax(-1),
                   second = class_logits(*student, view.input, {}).softmax(-1);
  const at::Tensor divergence = (first - second).mul(first.log() - second.log()).sum().div(2);
  EXPECT_NEAR(loss.terms(batch, {})[1].sum.item<double>(), divergence.item<double>(), 1e-6);
}

}  // namespace
}  // namespace llmctl::test
