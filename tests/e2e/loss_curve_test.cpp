// The losses of two tiny trainings, step by step: a change in what training computes is seen here,
// whatever it is that changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;

// No dropout: which numbers LibTorch draws on a CPU depends on who made the CPU.

/// Sentences that are the same everywhere; no bundled corpus, which may change.
std::string text() {
  const std::vector<std::string> names = {"the cat", "a dog", "one bird", "my friend", "the king"};
  const std::vector<std::string> verbs = {"sees", "likes", "finds", "follows"};
  std::string out;
  std::uint32_t state = 1;
  const auto draw = [&](const std::vector<std::string>& words) {
    state = state * 1664525u + 1013904223u;
    return words[(state >> 16) % words.size()];
  };
  for (int i = 0; i < 300; ++i) {
    const std::string first = draw(names), verb = draw(verbs);
    out += first + " " + verb + " " + draw(names) + ".\n\n";
  }
  return out;
}

std::vector<double> losses_of(const std::string& kind, const std::string& tokenizer,
                              const std::string& model) {
  Workbench bench;
  bench.write("text.txt", text());
  const std::string directory = (source_dir() / "tests/parity/models" / tokenizer).string();
  bench.write("config.json", R"({"run": {"dir": "run", "seed": 3}, "model": )" + model +
                                 R"(, "tokenizer": {"path": ")" + directory + R"("},
    "data": {"train": "text.txt", "valid": {"hash": 0.1}, "sequence_length": 32},
    "objective": {"type": ")" + kind +
                                 R"("},
    "optim": {"lr": 0.003, "warmup_steps": 4},
    "train": {"steps": 20, "batch_size": 8, "micro_batch_size": 4, "device": "cpu",
              "precision": "fp32"},
    "log": {"every": 1}})");
  bench.run({"pretrain", "-c", "config.json", "--threads", "1"});
  std::vector<double> losses;
  std::istringstream lines(slurp(bench / "run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    if (record["split"] == "train" && record.contains("loss")) losses.push_back(record["loss"]);
  }
  return losses;
}

/// Where the change is meant, the numbers that the failure prints take the place of those here.
void expect_curve(const std::vector<double>& losses, const std::vector<double>& expected) {
  std::ostringstream now;
  now.precision(6);
  for (const double loss : losses) now << loss << ", ";
  ASSERT_EQ(losses.size(), expected.size()) << now.str();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    ASSERT_NEAR(losses[i], expected[i], 1e-3 * expected[i]) << "step " << i + 1 << "; now\n"
                                                            << now.str();
  }
}

TEST(LossCurve, OfACausalModel) {
  expect_curve(
      losses_of("causal_lm", "llama", R"({"model_type": "llama", "hidden_size": 32,
                 "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                 "num_key_value_heads": 2, 
                 "max_position_embeddings": 64})"),
      {6.76395, 6.71492, 6.61452, 6.48576, 6.33305, 6.19595, 6.04035, 5.91339, 5.80156, 5.67983,
       5.567,   5.48557, 5.3957,  5.33593, 5.25095, 5.22385, 5.17271, 5.1446,  5.12608, 5.11781});
}

TEST(LossCurve, OfAMaskedModel) {
  expect_curve(
      losses_of("masked_lm", "bert_mlm", R"({"model_type": "bert", "hidden_size": 32,
                 "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_dropout_prob": 0,
                 "attention_probs_dropout_prob": 0, "max_position_embeddings": 64})"),
      {6.91112, 6.89967, 6.82913, 6.70286, 6.67437, 6.46024, 6.28184, 6.19867, 6.04106, 5.93496,
       5.92013, 5.71122, 5.71272, 5.52804, 5.56527, 5.44049, 5.45277, 5.38402, 5.39423, 5.39133});
}

}  // namespace
}  // namespace llmctl::test
