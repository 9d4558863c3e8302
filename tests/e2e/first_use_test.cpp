// What a new user tries in the first hours, as one tried it: each of these once failed or misled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

TEST(FirstUse, TokenizerCommandsTakeItInOneWay) {
  Workbench bench;
  bench.train_tokenizer();
  const std::string name = "tokenizer-causal";
  const auto ids = bench.run({"tokenizer", "encode", "-m", name, "the market"}).out;
  EXPECT_EQ(bench.run({"tokenizer", "encode", name, "the market"}).out, ids);
  EXPECT_EQ(bench.run({"tokenizer", "inspect", "-m", name}).out,
            bench.run({"tokenizer", "inspect", name}).out);
  // Ids as words of the command line are one text, as they are in one word.
  std::vector<std::string> decode = {"tokenizer", "decode", "-m", name};
  std::istringstream words(ids);
  for (std::string id; words >> id;) decode.push_back(id);
  EXPECT_EQ(bench.run(decode).out, "the market\n");
  const std::string pieces = bench.run({"tokenizer", "inspect", "-m", name, "--vocabulary"}).out;
  EXPECT_EQ(std::count(pieces.begin(), pieces.end(), '\n'), 900);
  // What is refused anyway comes without a forecast.
  const auto refused = bench.run({"tokenizer", "train", "en.txt", "-o", name}, 73);
  EXPECT_THAT(refused.err, Not(HasSubstr("expect up to")));
}

TEST(FirstUse, AnInterruptedRunNamesItsOwnCommandAgain) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 100000);
  ProcessOptions options;
  options.signals.push_back(signal_when_exists(SIGINT, bench / "run/checkpoints/step-00000005"));
  const auto result = bench.run({"pretrain", "-c", config, "--set", "log.every=7"}, 130, options);
  EXPECT_THAT(result.out, HasSubstr("llmctl pretrain -c run.json --set log.every=7\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("generate")));
  // Where nobody looks at a terminal there are lines of steps and no others about progress.
  EXPECT_THAT(result.err, Not(HasSubstr("train ")));
}

TEST(FirstUse, SamplesOfAValidationHaveALegendAndALineEach) {
  Workbench bench;
  bench.pretrain("masked", "masked", 2);
  bench.write("qa.json", R"([{"context": "Ada lives\nin Oakford.\nShe is\na baker.",
    "question": "Where?", "answers": [{"text": "lives\nin", "answer_start": 4}]}])");
  const auto result =
      bench.run({"finetune", "-m", "masked", "-o", "qa", "--set", "task.type=extractive_qa",
                 "--set", "data.train=qa.json", "--set", "data.valid=qa.json", "--set",
                 "train.steps=1", "--set", "train.batch_size=1"});
  EXPECT_THAT(result.err, HasSubstr("samples: input → answer   [expected]\n"));
  EXPECT_THAT(result.err, HasSubstr("[lives\\nin]\n"));
}

TEST(FirstUse, EveryKeyOfEvalsTasksIsChecked) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const auto wrong = [&](const std::string& setting, const std::string& part) {
    expect_one_line_error(
        bench.run({"eval", "-m", "run", "--data", "en.txt", "--set", setting}, 78), {part});
  };
  wrong("tasks.0.bogus=500", "tasks.0.bogus");
  wrong("tasks.0.label_field=x", "tasks.0.label_field");
  expect_one_line_error(bench.run({"eval", "-m", "run", "--set", "tasks.0.bogus=500"}, 78),
                        {"tasks.0.bogus"});
  // One of the task is obeyed.
  const auto scored = bench.run(
      {"eval", "-m", "run", "--data", "en.txt", "--set", "tasks.0.max_tokens=500", "--json"});
  EXPECT_EQ(scored.status, 0);
}

TEST(FirstUse, ATaskOfOtherModelsIsRefusedAsThat) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  expect_one_line_error(
      bench.run({"eval", "-m", "run", "--task", "masked_lm", "--data", "en.txt"}, 64),
      {"a LlamaForCausalLM cannot do masked_lm"});
}

TEST(FirstUse, OnlyWhatDiffersIsNamedAsOtherThanTheRuns) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  bench.write("prompts.jsonl", R"({"prompt": "a", "answer": "b"})");
  const auto result =
      bench.run({"finetune", "-m", "run", "-o", "run", "--set", "task.type=text_generation",
                 "--set", "data.train=prompts.jsonl", "--set", "train.steps=1"},
                78);
  expect_one_line_error(result,
                        {"task.type (\"causal_lm\", now \"text_generation\")", "-m run -o NEW"});
  EXPECT_THAT(result.err, Not(HasSubstr("absent, now absent")));
}

TEST(FirstUse, ARunIsScoredFromAnyDirectory) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const auto here = bench.run({"eval", "-m", "run", "--json"}).out;
  ProcessOptions elsewhere;
  fs::create_directory(bench / "elsewhere");
  elsewhere.directory = bench / "elsewhere";
  const auto there = bench.run({"eval", "-m", "../run", "--json"}, 0, elsewhere).out;
  EXPECT_EQ(json::parse(there)["results"][0]["scores"], json::parse(here)["results"][0]["scores"]);
}

TEST(FirstUse, BaselinesOfARunOnShardsNeedNoOtherText) {
  Workbench bench;
  bench.train_tokenizer();
  bench.run({"data", "prepare", "en.txt", "zh.txt", "-o", "prepared", "--tokenizer",
             "tokenizer-causal", "--set", "split.valid=0.1"});
  const auto config = bench.write_config("causal", "run", 2);
  bench.run({"pretrain", "-c", config, "--set", "data.train=prepared/train", "--set",
             "data.valid=prepared/valid"});
  EXPECT_THAT(bench.run({"eval", "-m", "run", "--data", "en.txt", "--baseline", "ngram:2"}).out,
              HasSubstr("(ngram2)"));
}

TEST(FirstUse, AnEncoderIsToldOfBeforeADecoderLearnsToAnswerFromPassages) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  bench.write("qa.json", R"([{"context": "Ada lives in Oakford.", "question": "Where?",
    "answers": [{"text": "Oakford", "answer_start": 13}]}])");
  const std::vector<std::string> command = {"finetune",
                                            "-m",
                                            "run",
                                            "-o",
                                            "qa",
                                            "--set",
                                            "task.type=extractive_qa",
                                            "--set",
                                            "data.train=qa.json",
                                            "--set",
                                            "train.steps=1",
                                            "--dry-run"};
  EXPECT_THAT(bench.run(command).err, HasSubstr("reads from left to right"));
}

}  // namespace
}  // namespace llmctl::test
