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
  int compared = 0;
  for (const Json& test : data["cases"]) {
    const Json& row = data["rows"][test["row"].get<std::size_t>()];
    const Json& settings = test["settings"];
    SamplingOptions options;
    options.repetition_penalty = settings.value("repetition_penalty", 1.0);
    options.no_repeat_ngram_size = settings.value("no_repeat_ngram_size", 0);
    options.bad_words_ids = settings.value("bad_words_ids", options.bad_words_ids);
    options.min_new_tokens = settings.value("min_new_tokens", 0);
    options.temperature = settings.value("temperature", 1.0);
    options.top_k = settings.value("top_k", 0);
    options.top_p = settings.value("top_p", 1.0);
    options.min_p = settings.value("min_p", 0.0);
    options.typical_p = settings.value("typical_p", 1.0);
    options.epsilon_cutoff = settings.value("epsilon_cutoff", 0.0);
    options.eta_cutoff = settings.value("eta_cutoff", 0.0);
    SCOPED_TRACE(settings.dump());
    std::vector<float> logits;
    for (const Json& value : row["logits"]) {
      logits.push_back(value.is_string()
                           ? (value == "-Infinity" ? -INFINITY : (value == "NaN" ? NAN : INFINITY))
                           : value.get<float>());
    }
    const auto seen = row["previous_ids"].get<std::vector<TokenId>>();
    options.eos_token_ids = {row["eos"].get<TokenId>()};
    Sampler sampler;
    const auto& candidates = sampler.distribution(
        logits, options, {seen, std::ssize(seen) - row["prompt_length"].get<std::int64_t>()});
    const auto expected = test["probabilities"].get<std::vector<double>>();
    ASSERT_EQ(candidates.size(), test["kept"].get<std::size_t>());
    const double largest = *std::max_element(expected.begin(), expected.end());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const TokenId id =
          test["ids"].is_string() ? static_cast<TokenId>(i) : test["ids"][i].get<TokenId>();
      ASSERT_EQ(candidates[i].id, id);
      ASSERT_NEAR(candidates[i].probability, expected[i], std::min(1e-6, 1e-5 * largest));
    }
    ++compared;
  }
  EXPECT_EQ(compared, std::ssize(data["cases"]));
  EXPECT_GT(compared, 100);
}

}  // namespace
}  // namespace llmctl::test
