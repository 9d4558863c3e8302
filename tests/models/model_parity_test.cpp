// Every golden model of a supported type: hidden states, logits, loss, gradients, and weights after
// steps of our optimiser.
#include <ATen/ops/arange.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "config/json.h"
#include "golden_case.h"
#include "optim/optimizer.h"
#include "support/parity_dir.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::device;
using test::documents_of;
using test::expect_close;
using test::Golden;
using test::largest;
using test::tolerance;
using Case = test::GoldenCase;
namespace fs = std::filesystem;

bool is_supported(const fs::path& directory) {
  const Json config = load_json(directory / "config.json");
  const auto types = model_types();
  return std::find(types.begin(), types.end(), config.at("model_type").get<std::string>()) !=
         types.end();
}

std::vector<fs::path> supported_cases(const char* folder) {
  std::vector<fs::path> cases;
  for (const auto& directory : test::parity_cases(folder)) {
    if (is_supported(directory)) cases.push_back(directory);
  }
  return cases;
}

void check_hidden_states(Case& test) {
  std::map<std::string, at::Tensor> seen;
  const Tap tap = [&](const std::string& name, const at::Tensor& value) { seen[name] = value; };
  Context context;
  context.tap = &tap;
  test.hidden(context);
  std::size_t compared = 0;
  for (const auto& [name, info] : test.golden().file().tensors()) {
    if (name.find("hidden_states.") == std::string::npos) continue;
    ASSERT_TRUE(seen.contains(name)) << name;
    const at::Tensor real =
        (name.starts_with("encoder_") ? test.golden()["attention_mask"] : test.real()).unsqueeze(2);
    const at::Tensor wanted = test.golden()[name] * real;
    expect_close(seen[name].to(at::kCPU) * real, wanted, tolerance(wanted), name);
    ++compared;
  }
  EXPECT_GT(compared, static_cast<std::size_t>(test.model().facts().layers));
  std::size_t maps = 0;
  for (const auto& [name, map] : seen) {
    if (name.find("attentions.") == std::string::npos) continue;
    EXPECT_EQ(map.dim(), 4) << name;
    expect_close(map.sum(-1), at::ones_like(map.sum(-1)), 1e-5, name);
    ++maps;
  }
  EXPECT_EQ(compared + maps, seen.size());
}

void check_logits(Case& test, const at::Tensor& hidden) {
  const Golden& golden = test.golden();
  const HeadKind head = test.model().facts().head;
  const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)});
  const at::Tensor real = test.real();
  if (head == HeadKind::kSequenceClassification) {
    expect_close(test.classification(hidden), golden["logits"], tolerance(golden["logits"]),
                 "logits");
    return;
  }
  const at::Tensor logits =
      test.model().head(rows, {}).to(at::kCPU).view({hidden.size(0), hidden.size(1), -1});
  if (head == HeadKind::kSpan) {
    for (const auto& [column, name] : {std::pair{0, "start_logits"}, {1, "end_logits"}}) {
      expect_close(logits.select(2, column) * real, golden[name] * real, tolerance(golden[name]),
                   name);
    }
  } else if (head == HeadKind::kTokenClassification) {
    expect_close(logits * real.unsqueeze(2), golden["logits"] * real.unsqueeze(2),
                 tolerance(golden["logits"]), "logits");
  } else {
    const at::Tensor places = golden["logit_positions"];
    const at::Tensor chosen = logits.index({places.select(1, 0), places.select(1, 1)});
    expect_close(chosen, golden["logits"], tolerance(golden["logits"]), "logits");
    const at::Tensor sums = at::logsumexp(logits, {2});
    expect_close(sums * real, golden["logits_logsumexp"] * real,
                 tolerance(golden["logits_logsumexp"]), "logsumexp");
    EXPECT_TRUE((logits.argmax(2) * real).equal(golden["logits_argmax"] * real));
  }
}

/// What the golden file keeps of a tensor: all of it, the rows of `vocab_rows`, or the first 8.
at::Tensor kept(const Case& test, const at::Tensor& tensor, const at::Tensor& wanted) {
  const at::Tensor value = tensor.detach().to(at::kCPU);
  if (value.sizes() == wanted.sizes()) return value;
  if (value.size(0) == test.facts().value("vocab", value.size(0)) &&
      test.golden()["vocab_rows"].size(0) == wanted.size(0)) {
    return value.index_select(0, test.golden()["vocab_rows"]);
  }
  return value.narrow(0, 0, wanted.size(0));
}

void check_gradients(Case& test) {
  const Golden& golden = test.golden();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : test.model().parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    gradients.push_back(parameter.grad());
  }
  std::size_t compared = 0;
  for (const auto& [name, gradient] : test.model().in_file_layout(gradients)) {
    ASSERT_TRUE(golden.has("grad." + name)) << name;
    const at::Tensor wanted = golden["grad." + name];
    expect_close(kept(test, gradient, wanted), wanted, 1e-4 * largest(wanted) + 1e-6,
                 "grad." + name);
    if (golden.has("grad_row_norms." + name)) {
      const at::Tensor norms = golden["grad_row_norms." + name];
      expect_close(gradient.norm(2, 1), norms, 1e-4 * largest(norms) + 1e-6,
                   "grad_row_norms." + name);
    }
    ++compared;
  }
  std::size_t expected = 0;
  for (const auto& [name, info] : golden.file().tensors()) expected += name.starts_with("grad.");
  EXPECT_EQ(compared, expected);
}

void check_steps(Case& test) {
  const Json& facts = test.facts();
  std::set<std::string> rounding;
  for (const auto& name : facts.at("steps_dominated_by_rounding")) rounding.insert(name);
  OptimConfig config;
  config.weight_decay = 0.1;
  config.beta1 = 0.9;
  config.beta2 = 0.95;
  config.eps = 1e-8;
  const NamedTensors parameters = test.model().parameters();
  const auto optimizer = make_optimizer(
      config, parameters, std::vector<ParameterPlan>(parameters.size(), {.decay = true}));
  for (int step = 1; step <= 5; ++step) {
    for (const auto& [name, parameter] : parameters) parameter.mutable_grad() = at::Tensor();
    const at::Tensor loss = test.loss(test.hidden());
    const auto index = static_cast<std::size_t>(step - 1);
    EXPECT_NEAR(loss.item<double>(), facts.at("losses")[index].get<double>(), 2e-5) << step;
    loss.backward();
    const double norm = std::sqrt(gradient_square_sum(parameters));
    const auto wanted_norm = facts.at("grad_norms")[index].get<double>();
    EXPECT_NEAR(norm, wanted_norm, 1e-4 * wanted_norm) << step;
    optimizer->step(1e-3, std::max(1.0, norm + 1e-6));
    if (step != 1 && step != 5) continue;
    std::vector<at::Tensor> values;
    for (const auto& [name, parameter] : parameters) values.push_back(parameter);
    for (const auto& [name, parameter] : test.model().in_file_layout(values)) {
      if (rounding.contains(name)) continue;
      const std::string golden_name = "step" + std::to_string(step) + "." + name;
      ASSERT_TRUE(test.golden().has(golden_name)) << golden_name;
      const at::Tensor wanted = test.golden()[golden_name];
      const double noise = facts.at("noise_float32_vs_float64").value(golden_name, 0.0);
      expect_close(kept(test, parameter, wanted), wanted, std::max(2e-5, 10 * noise), golden_name);
    }
  }
}

TEST(ModelParity, GoldenModels) {
  LLMCTL_NEEDS_PARITY("models");
  const auto cases = supported_cases("models");
  ASSERT_FALSE(cases.empty());
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    Case test(directory);
    EXPECT_EQ(test.model().facts().architecture, test.facts().at("class").get<std::string>());
    check_hidden_states(test);
    const at::Tensor hidden = test.hidden();
    check_logits(test, hidden);
    const at::Tensor loss = test.loss(hidden);
    expect_close(loss.reshape({1}), test.golden()["loss"], 1e-5, "loss");
    loss.backward();
    check_gradients(test);
    check_steps(test);
  }
}

/// The golden left-padded batch, moved to the right: logits of each row's last token.
TEST(ModelParity, UnequalPrompts) {
  LLMCTL_NEEDS_PARITY("models");
  for (const auto& directory : supported_cases("models")) {
    Case test(directory);
    const Golden& golden = test.golden();
    if (!golden.has("left.input_ids")) continue;
    SCOPED_TRACE(directory.filename().string());
    const at::Tensor ids = golden["left.input_ids"], mask = golden["left.attention_mask"];
    const std::int64_t length = ids.size(1);
    Sequence input;
    input.ids = ids.clone();
    input.documents = at::full_like(ids, -1);
    for (std::int64_t row = 0; row < ids.size(0); ++row) {
      const auto real = mask[row].sum().item<std::int64_t>();
      input.ids[row].narrow(0, 0, real).copy_(ids[row].narrow(0, length - real, real));
      input.documents[row].narrow(0, 0, real).zero_();
    }
    input.ids = input.ids.to(device());
    input.documents = input.documents.to(device());
    const at::Tensor hidden = test.model().hidden(input, {});
    const at::Tensor logits = test.model().head(test.model().pooled(hidden, input), {});
    expect_close(logits, golden["left.logits_last"], tolerance(golden["left.logits_last"]),
                 "logits_last");
  }
}

/// Other options of the same types, in both spellings of config.json.
TEST(ModelParity, Variants) {
  LLMCTL_NEEDS_PARITY("variants");
  for (const auto& directory : supported_cases("variants")) {
    const Golden golden(directory / "expected.safetensors");
    for (const char* config : {"config.json", "config_v4.json"}) {
      SCOPED_TRACE(directory.filename().string() + "/" + config);
      const test::TempDir copy;
      fs::copy(directory / config, copy / "config.json");
      fs::create_symlink(directory / "model.safetensors", copy / "model.safetensors");
      const auto model = load_model(copy.path(), ModelRequest{});
      model->to(device());
      for (const char* length : {"9", "23", "40"}) {
        if (!golden.has(std::string("input_ids.") + length)) continue;
        const at::Tensor mask = golden[std::string("attention_mask.") + length];
        Sequence input;
        input.ids = golden[std::string("input_ids.") + length].to(device());
        input.documents = documents_of(mask).to(device());
        const at::Tensor hidden = model->hidden(input, {});
        const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)});
        const at::Tensor wanted = golden[std::string("logits.") + length];
        const at::Tensor logits = model->head(rows, {}).to(at::kCPU).view(wanted.sizes());
        expect_close(logits * mask.unsqueeze(2), wanted, 2e-5 * (1 + largest(wanted)), length);
      }
    }
  }
}

/// Configurations that must be refused before any weight is looked for.
TEST(ModelParity, HostileConfigurations) {
  LLMCTL_NEEDS_PARITY("formats/hostile/manifest.json");
  const fs::path folder = test::parity_dir() / "formats" / "hostile";
  int seen = 0;
  for (const auto& entry : load_json(folder / "manifest.json")) {
    if (entry.at("kind") != "config") continue;
    const auto file = entry.at("file").get<std::string>();
    SCOPED_TRACE(file + ": " + entry.at("wrong").get<std::string>());
    if (!fs::exists(folder / file)) continue;
    ++seen;
    const test::TempDir directory;
    fs::copy(folder / file, directory / "config.json");
    try {
      load_model(directory.path(), ModelRequest{});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData) << error.what();
      EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace llmctl
