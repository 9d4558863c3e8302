// Every golden adapter of PEFT: logits apart from the weights and merged with them, the merged
// weights, and the gradients of the maps.
#include <gtest/gtest.h>

#include <map>

#include "golden_case.h"
#include "models/lora.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

using test::expect_close;
using test::Golden;
using test::GoldenCase;
using test::largest;
namespace fs = std::filesystem;

void check_logits(GoldenCase& test) {
  const at::Tensor wanted = test.golden()["logits"];
  const at::Tensor hidden = test.hidden();
  at::Tensor logits;
  if (test.model().facts().head == HeadKind::kSequenceClassification) {
    logits = test.classification(hidden).to(at::kCPU);
  } else {
    logits = test.model().head(hidden.reshape({-1, hidden.size(-1)}), {}).to(at::kCPU);
    logits = logits.view(wanted.sizes()) * test.real().unsqueeze(2);
  }
  const at::Tensor compared = wanted.dim() == 3 ? wanted * test.real().unsqueeze(2) : wanted;
  expect_close(logits, compared, 1e-5 * (1 + largest(compared)), "logits");
}

void check_gradients(GoldenCase& test) {
  test.loss(test.hidden()).backward();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : test.model().parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    gradients.push_back(parameter.grad());
  }
  const std::string prefix = "base_model.model.";
  std::size_t compared = 0, expected = 0;
  for (const auto& [name, gradient] : test.model().in_file_layout(gradients)) {
    const std::string golden_name = "grad." + name.substr(prefix.size());
    if (!test.golden().has(golden_name)) continue;  // layers trained whole
    const at::Tensor wanted = test.golden()[golden_name];
    expect_close(gradient, wanted, 1e-4 * largest(wanted) + 1e-6, golden_name);
    ++compared;
  }
  for (const auto& [name, info] : test.golden().file().tensors()) {
    expected += name.starts_with("grad.") && name.find(".lora_") != std::string::npos;
  }
  EXPECT_EQ(compared, expected);
}

void check_merged(GoldenCase& test) {
  std::vector<at::Tensor> values;
  for (const auto& [name, parameter] : test.model().parameters()) values.push_back(parameter);
  std::map<std::string, at::Tensor> merged;
  for (const auto& [name, tensor] : test.model().in_file_layout(values)) merged[name] = tensor;
  std::size_t compared = 0;
  for (const auto& [name, info] : test.golden().file().tensors()) {
    if (!name.starts_with("merged.")) continue;
    const at::Tensor wanted = test.golden()[name];
    ASSERT_TRUE(merged.contains(name.substr(7))) << name;
    expect_close(merged.at(name.substr(7)), wanted, 1e-5 * (1 + largest(wanted)), name);
    ++compared;
  }
  EXPECT_GT(compared, 0u);
}

TEST(LoraParity, GoldenAdapters) {
  LLMCTL_NEEDS_PARITY("lora");
  const auto cases = test::parity_cases("lora");
  ASSERT_FALSE(cases.empty());
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const Json facts = load_json(directory / "expected.json");
    // The base as the file names it, or as the case does.
    const fs::path base = test::parity_dir() / facts.at("base").get<std::string>();
    ASSERT_EQ(fs::canonical(adapter_base(directory, {})), fs::canonical(base));
    if (facts.at("must") == "refuse") {
      try {
        load_model(directory, {});
        ADD_FAILURE() << "accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kData) << error.what();
        EXPECT_NE(std::string(error.what()).find("is not supported"), std::string::npos)
            << error.what();
      }
      continue;
    }
    ModelRequest apart;
    apart.train_adapter = true;
    GoldenCase trained(directory, apart);
    check_logits(trained);
    if (trained.golden().has("labels")) check_gradients(trained);
    GoldenCase merged(directory);
    check_logits(merged);
    check_merged(merged);
  }
}

}  // namespace
}  // namespace llmctl
