#include "tasks/r_drop.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include "data/collate.h"
#include "models/tiny_models.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

Batch pairs(std::int64_t start) {
  const std::vector<TokenRow> sources{{.ids = {5, 6, 7}}, {.ids = {8}}};
  const std::vector<TokenRow> targets{{.ids = {start, 9}, .labels = {9, 1}},
                                      {.ids = {start, 4, 3}, .labels = {4, 3, 1}}};
  return collate_pairs(sources, targets, 0);
}

std::unique_ptr<Model> model_of(double dropout) {
  Json section = test::tiny_section("marian");
  section["dropout"] = dropout;
  return test::create(section);
}

TEST(RDrop, WithoutDropoutThePassesAreTheSame) {
  const auto model = model_of(0);
  const Batch batch = to_device(pairs(39), test::device());
  Context context;
  context.train = true;
  const auto loss = make_r_drop_loss(*model, 5, 0.1), plain = make_lm_loss(*model, 0.1);
  EXPECT_EQ(loss->counts(batch),
            (std::vector<std::pair<std::string, double>>{{"loss", 5}, {"r_drop", 5}}));
  const auto terms = loss->terms(batch, context);
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_NEAR(terms[0].sum.item<double>(), plain->terms(batch, context)[0].sum.item<double>(),
              1e-4);
  EXPECT_NEAR(terms[1].sum.item<double>(), 0, 1e-5);
  EXPECT_EQ(terms[1].coefficient, 2.5);
}

TEST(RDrop, DrawsTwoPassesTogether) {
  const auto model = model_of(0.3);
  const Batch batch = to_device(pairs(39), test::device());
  Context context;
  context.train = true;
  context.dropout_seed = 7;
  // The same passes, their distributions compared by torch.
  Batch both = batch;
  both.input.ids = at::cat({batch.input.ids, batch.input.ids});
  both.input.documents = at::cat({batch.input.documents, batch.input.documents});
  both.target.ids = at::cat({batch.target.ids, batch.target.ids});
  both.labels = at::cat({batch.labels, batch.labels});
  both.extras.clear();
  const LabelledRows rows = labelled_rows(*model, both, context);
  const at::Tensor p = at::log_softmax(model->head(rows.hidden.narrow(0, 0, 5), context), -1),
                   q = at::log_softmax(model->head(rows.hidden.narrow(0, 5, 5), context), -1);
  const at::Tensor wanted = (at::kl_div(p, q, at::Reduction::Sum, /*log_target=*/true) +
                             at::kl_div(q, p, at::Reduction::Sum, /*log_target=*/true)) /
                            2;
  ASSERT_GT(wanted.item<double>(), 0.01);
  wanted.backward();
  std::vector<at::Tensor> gradients;
  for (auto [name, parameter] : model->parameters()) {
    gradients.push_back(parameter.grad());
    parameter.mutable_grad().reset();
  }
  const auto terms = make_r_drop_loss(*model, 1, 0)->terms(batch, context);
  EXPECT_NEAR(terms[1].sum.item<double>(), wanted.item<double>(), 1e-4);
  terms[1].sum.backward();
  std::size_t i = 0;
  for (const auto& [name, parameter] : model->parameters()) {
    const at::Tensor& reference = gradients[i++];
    if (!reference.defined()) continue;
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_LE((parameter.grad() - reference).abs().max().item<double>(),
              1e-4 * (1 + reference.abs().max().item<double>()))
        << name;
  }
}

}  // namespace
}  // namespace llmctl
