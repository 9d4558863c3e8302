// The distributions of Hugging Face's logits processors.
#include <gtest/gtest.h>

#include <cmath>

#include "config/json.h"
#include "infer/sampler.h"
#include "support/parity_dir.h"

namespace llmctl::test {
namespace {

TEST(SamplerParity, GivesTheSameDistributions) {
  LLMCTL_NEEDS_PARITY("sampling/processors.json");
  const Json data = load_json(parity_dir() / "sampling/processors.json");
  const std::vector<std::string> known = {"repetition_penalty", "min_new_tokens", "temperature",
                                          "top_k", "top_p"};
  int compared = 0;
  for (const Json& test : data["cases"]) {
    const Json& row = data["rows"][test["row"].get<std::size_t>()];
    GenerationConfig config;
    bool supported = true;
    for (const auto& [key, value] : test["settings"].items()) {
      supported &= std::find(known.begin(), known.end(), key) != known.end();
    }
    if (!supported) continue;
    const Json& settings = test["settings"];
    config.repetition_penalty = settings.value("repetition_penalty", 1.0);
    config.min_new_tokens = settings.value("min_new_tokens", 0);
    config.temperature = settings.value("temperature", 1.0);
    config.top_k = settings.value("top_k", 0);
    config.top_p = settings.value("top_p", 1.0);
    SCOPED_TRACE(settings.dump());
    std::vector<float> logits;
    for (const Json& value : row["logits"]) {
      logits.push_back(value.is_string()
                           ? (value == "-Infinity" ? -INFINITY : (value == "NaN" ? NAN : INFINITY))
                           : value.get<float>());
    }
    const auto seen = row["previous_ids"].get<std::vector<TokenId>>();
    const std::vector<std::int64_t> stop = {row["eos"].get<std::int64_t>()};
    Sampler sampler(config, stop);
    const auto& candidates = sampler.distribution(
        logits, seen,
        static_cast<std::int64_t>(seen.size()) - row["prompt_length"].get<std::int64_t>());
    const auto expected = test["probabilities"].get<std::vector<double>>();
    ASSERT_EQ(candidates.size(), test["kept"].get<std::size_t>());
    const double largest = *std::max_element(expected.begin(), expected.end());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const TokenId id =
          test["ids"].is_string() ? static_cast<TokenId>(i) : test["ids"][i].get<TokenId>();
      ASSERT_EQ(candidates[i].id, id);
      ASSERT_NEAR(candidates[i].probability, expected[i], 1e-5 * largest);
    }
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

}  // namespace
}  // namespace llmctl::test
