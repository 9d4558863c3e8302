// Losses and gradients of preference tuning beside TRL's.
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "config/json.h"
#include "data/collate.h"
#include "support/paths.h"
#include "tasks/dpo_loss.h"

namespace llmctl::test {
namespace {

/// Rows of ids with the positions that are no padding, and which tokens count.
Batch batch_of(const Json& json) {
  std::vector<TokenRow> rows;
  for (std::size_t r = 0; r < json["input_ids"].size(); ++r) {
    TokenRow row;
    std::vector<std::int64_t> ids;
    std::vector<bool> counts;
    for (std::size_t t = 0; t < json["input_ids"][r].size(); ++t) {
      if (json["attention_mask"][r][t] == 0) continue;
      ids.push_back(json["input_ids"][r][t]);
      counts.push_back(json["completion_mask"][r][t] == 1);
    }
    row.ids.assign(ids.begin(), ids.end() - 1);
    for (std::size_t t = 1; t < ids.size(); ++t)
      row.labels.push_back(counts[t] ? ids[t] : kIgnoreLabel);
    rows.push_back(std::move(row));
  }
  return collate(rows, 0);
}

TEST(DpoParity, LossesAndGradientsAreTrls) {
  // Of this project's own goldens, whose model it names.
  const std::filesystem::path goldens = source_dir() / "tests/parity";
  const Json golden = load_json(goldens / "preference/dpo.json");
  const Batch batch = batch_of(golden["batch"]);
  for (const Json& wanted : golden["cases"]) {
    SCOPED_TRACE(wanted["loss_type"].get<std::string>());
    const auto model = load_model(goldens / "models/llama", {});
    const std::shared_ptr<Model> reference = load_model(goldens / "models/llama", {});
    {
      const c10::AutoGradMode no_grad(false);
      for (auto& [name, parameter] : reference->parameters()) at::Tensor(parameter).mul_(0.9);
    }
    const DpoRule rule{wanted["loss_type"], wanted["beta"], wanted["label_smoothing"]};
    const auto loss = make_dpo_loss(*model, reference, rule);
    Context context;
    context.train = true;
    const LossTerm term = loss->terms(batch, context).front();
    const double mean = term.sum.item<double>() / term.count;
    EXPECT_NEAR(mean, wanted["loss"].get<double>(), 1e-5 * std::abs(mean));
    (term.sum / term.count).backward();
    EXPECT_NEAR(term.extras.at("reward_accuracy") / term.count,
                wanted["reward_accuracy"].get<double>(), 1e-6);
    for (const auto& [name, parameter] : model->parameters()) {
      const double norm = wanted["norms"][name];
      EXPECT_NEAR(parameter.grad().norm().item<double>(), norm, 1e-5 * norm + 1e-7) << name;
      if (!wanted["gradients"].contains(name)) continue;
      const Json& values = wanted["gradients"][name];
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(parameter.grad().view({-1})[static_cast<std::int64_t>(i)].item<double>(),
                    values[i].get<double>(), 1e-5 * norm + 1e-7)
            << name << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace llmctl::test
