// Adapters beside a model's weights give the texts of the model that they were merged with,
// whatever the rows beside them use.
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/json.h"
#include "infer/adapted_answers.h"
#include "models/lora.h"
#include "support/parity_dir.h"

namespace llmctl::test {
namespace {

namespace fs = std::filesystem;

std::vector<GenerationRequest> requests_for(const Model& model) {
  std::vector<GenerationRequest> requests;
  for (const TokenId first : {5, 9, 5, 14}) {
    GenerationRequest& request = requests.emplace_back();
    request.prompt = {first, 7, 11};
    if (model.facts().encoder_decoder) {
      request.source = {first, 7, 11, 3};
      request.prompt = {static_cast<TokenId>(model.facts().decoder_start)};
    }
    request.options.max_new_tokens = 10;
    request.logprobs = 0;
  }
  return requests;
}

TEST(AdaptersParity, BesideTheWeightsAsMergedWithThem) {
  LLMCTL_NEEDS_PARITY("lora");
  int compared = 0;
  for (const auto& directory : parity_cases("lora")) {
    SCOPED_TRACE(directory.filename().string());
    const Json facts = load_json(directory / "expected.json");
    const fs::path base = parity_dir() / facts.at("base").get<std::string>();
    const auto model = load_on_test_device(base);
    if (facts.at("must") == "refuse" || !model->facts().causal) {
      EXPECT_THROW(add_adapter(*model, directory, base), Error);
      continue;
    }
    const std::vector<GenerationRequest> plain = requests_for(*model);
    const Answers without = answer(*model, plain);
    const std::size_t number = add_adapter(*model, directory, base);
    std::vector<GenerationRequest> adapted = plain;
    for (GenerationRequest& request : adapted) request.adapters = {{number, 1}};
    const auto merged = load_on_test_device(directory);
    const Answers wanted = answer(*merged, plain);
    const Answers got = answer(*model, adapted), again = answer(*model, plain);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      expect_same(got[i][0], wanted[i][0]);
      expect_same(again[i][0], without[i][0]);
    }
    EXPECT_NE(got[0][0].logprobs, without[0][0].logprobs);
    ++compared;
    // Rows with it, without it and at half its strength; equal prompts do not share their keys.
    adapted[1].adapters.clear();
    adapted[2].adapters = {{number, 0.25}, {number, 0.25}};
    std::vector<GenerationRequest> half = plain;
    for (GenerationRequest& request : half) request.adapters = {{number, 0.5}};
    const Answers mixed = answer(*model, adapted), at_half = answer(*model, half);
    expect_same(mixed[0][0], wanted[0][0]);
    expect_same(mixed[1][0], without[1][0]);
    expect_same(mixed[2][0], at_half[2][0]);
    expect_same(mixed[3][0], wanted[3][0]);
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace llmctl::test
