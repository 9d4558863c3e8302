// Scores from the metric to what decides by them: the best checkpoint, bounds, tables and JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

/// Step of the validation that is best by (score, then lower loss, then later step), from the run's
/// own records.
std::int64_t best_of_records(const fs::path& run, const std::string& score, bool higher) {
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  std::int64_t step = 0;
  double best = 0, best_loss = 0;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    if (record["split"] != "valid") continue;
    const double value = record[score], loss = record["loss"];
    const bool better =
        step == 0 || (higher ? value > best : value < best) || (value == best && loss <= best_loss);
    if (!better) continue;
    best = value;
    best_loss = loss;
    step = record["step"];
  }
  return step;
}

TEST(Scores, TheBestCheckpointIsTheBestByTheScoreAskedFor) {
  Workbench bench;
  bench.train_tokenizer("masked");
  for (const auto& [score, higher] :
       {std::pair{"masked_accuracy", true}, std::pair{"perplexity", false}}) {
    const auto config = bench.write_config("masked", score, 30);
    const json report =
        json::parse(bench
                        .run({"pretrain", "-c", config, "--json", "--set", "eval.every=3", "--set",
                              std::string("checkpoint.keep_best=valid/") + score})
                        .out);
    const std::int64_t expected = best_of_records(bench / score, score, higher);
    EXPECT_EQ(report["best"]["step"], expected);
    EXPECT_EQ(report["best"]["score"], std::string("valid/") + score);
    EXPECT_EQ(report["best"]["value"], report["best"]["scores"][score]);
    EXPECT_EQ(std::stoll(fs::read_symlink(bench / score / "best").filename().string().substr(5)),
              expected);
  }
}

TEST(Scores, AScoreThatNoValidationGivesIsRefusedBeforeTheFirstStep) {
  Workbench bench;
  bench.train_tokenizer("masked");
  const auto config = bench.write_config("masked", "run", 4);
  const auto refused = [&](std::vector<std::string> sets) {
    std::vector<std::string> words = {"pretrain", "-c", config};
    for (auto& set : sets) words.insert(words.end(), {"--set", set});
    const std::string error = bench.run(words, 78).err;
    words.push_back("--dry-run");
    EXPECT_EQ(bench.run(words, 78).err, error) << "a dry run finds it too";
    EXPECT_FALSE(fs::exists(bench / "run/checkpoints"));
    return error;
  };
  EXPECT_THAT(refused({"checkpoint.keep_best=valid/masked_acuracy"}),
              HasSubstr("did you mean 'valid/masked_accuracy'?"));
  EXPECT_THAT(refused({"checkpoint.keep_best=masked_accuracy"}), HasSubstr("no validation score"));
  EXPECT_THAT(refused({"checkpoint.keep_best=valid/loss", "data.valid=[]"}),
              HasSubstr("checkpoint.keep_best: needs validation data"));
  EXPECT_THAT(refused({"train.patience=2", "eval.every=0"}),
              HasSubstr("train.patience: validation is only at the end"));
}

TEST(Scores, BoundsAreOfTheScoresScaleAndKnownBeforeTheWork) {
  Workbench bench;
  bench.write("gold.jsonl",
              "{\"id\": 1, \"text\": \"a\", \"label\": \"good\"}\n"
              "{\"id\": 2, \"text\": \"b\", \"label\": \"bad\"}\n");
  bench.write("predicted.jsonl",
              "{\"id\": 1, \"prediction\": \"good\"}\n{\"id\": 2, \"prediction\": \"good\"}\n");
  const auto eval = [&](const std::string& bound, int status, bool dry = false) {
    std::vector<std::string> words = {"eval",          "--task",          "sequence_classification",
                                      "--predictions", "predicted.jsonl", "--references",
                                      "gold.jsonl",    "--fail-under",    bound};
    if (dry) words.push_back("--dry-run");
    return bench.run(words, status);
  };
  const auto met = eval("accuracy=50", 0);
  EXPECT_THAT(met.out, HasSubstr("50.00"));
  EXPECT_THAT(met.out, Not(HasSubstr("2.0000"))) << "a count is an integer";
  EXPECT_THAT(met.err, Not(HasSubstr("percent")));
  EXPECT_THAT(eval("accuracy=51", 1).err, HasSubstr("accuracy is 50, under 51"));
  EXPECT_THAT(eval("class.bad.recall=1.5", 1).err, HasSubstr("under 1.5"));
  EXPECT_THAT(eval("accuracy=0.5", 0).err, HasSubstr("0.5 is 0.5 percent"));
  for (const bool dry : {false, true}) {
    EXPECT_THAT(eval("accuracy=900", 78, dry).err, HasSubstr("must be from 0 to 100"));
    EXPECT_THAT(eval("acuracy=50", 78, dry).err, HasSubstr("did you mean 'accuracy'?"));
  }
  const json report =
      json::parse(bench
                      .run({"eval", "--task", "sequence_classification", "--predictions",
                            "predicted.jsonl", "--references", "gold.jsonl", "--json"})
                      .out);
  EXPECT_EQ(report["scores"]["total"].dump(), "2");
  EXPECT_EQ(report["scores"]["accuracy"], 50);
  EXPECT_EQ(report["scores"]["class.good.precision"], 50);
  EXPECT_FALSE(report.contains("notes"));
}

TEST(Scores, PredictionsInAnotherOrderThanTheirReferencesAreRefused) {
  Workbench bench;
  bench.write("gold.jsonl",
              "{\"text\": \"a\", \"label\": \"good\"}\n"
              "{\"text\": \"b\", \"label\": \"bad\"}\n");
  const std::string first = "{\"text\": \"a\", \"label\": \"good\", \"prediction\": \"good\"}\n";
  const std::string second = "{\"text\": \"b\", \"label\": \"bad\", \"prediction\": \"bad\"}\n";
  bench.write("ordered.jsonl", first + second);
  bench.write("shuffled.jsonl", second + first);
  bench.write("bare.jsonl", "{\"prediction\": \"bad\"}\n{\"prediction\": \"good\"}\n");
  const auto eval = [&](const std::string& predictions, int status) {
    return bench.run({"eval", "--task", "sequence_classification", "--predictions", predictions,
                      "--references", "gold.jsonl", "--json"},
                     status);
  };
  EXPECT_EQ(json::parse(eval("ordered.jsonl", 0).out)["scores"]["accuracy"], 100);
  expect_one_line_error(eval("shuffled.jsonl", 65),
                        {"shuffled.jsonl:1: 'b' is not the input of reference 1 (",
                         "gold.jsonl:1) but that of reference 2; without ids, predictions are "
                         "matched by their order"});
  EXPECT_EQ(json::parse(eval("bare.jsonl", 0).out)["scores"]["accuracy"], 0);
}

TEST(Scores, NotesOnSettingsStandInTheResult) {
  Workbench bench;
  bench.write("gold.jsonl", "{\"id\": 1, \"text\": \"a\", \"label\": \"good\"}\n");
  bench.write("predicted.jsonl", "{\"id\": 1, \"prediction\": \"good\"}\n");
  const std::vector<std::string> words = {
      "eval",          "--task",          "sequence_classification",
      "--predictions", "predicted.jsonl", "--references",
      "gold.jsonl",    "--json",          "--fail-under",
      "accuracy=0.5",  "--batch-size",    "4",
      "--data",        "gold.jsonl"};
  const auto result = bench.run(words);
  const json notes = json::parse(result.out)["notes"];
  ASSERT_EQ(notes.size(), 3u) << result.describe();
  for (const json& note : notes)
    EXPECT_THAT(result.err, HasSubstr(note.get<std::string>())) << "the log says so too";
  EXPECT_THAT(notes.dump(), HasSubstr("data has no effect: predictions are scored against"));
  EXPECT_THAT(notes.dump(), HasSubstr("fail_under.accuracy: 0.5 is 0.5 percent"));
  EXPECT_THAT(notes.dump(), HasSubstr("batch_size has no effect: predictions of files"));
  auto dry = words;
  dry.push_back("--dry-run");
  EXPECT_EQ(json::parse(bench.run(dry).out)["notes"], notes);
  // References alone would score something else than was meant.
  expect_one_line_error(
      bench.run({"eval", "--task", "sequence_classification", "--references", "gold.jsonl"}, 78),
      {"references: predictions are missing"});
}

}  // namespace
}  // namespace llmctl::test
