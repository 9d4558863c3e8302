// What goes wrong on real machines: kills, signals, full disks, damaged and missing files, wrong
// configurations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(Faults, KilledAtAnyMomentItResumesToTheSameWeights) {
  Workbench bench;
  bench.train_tokenizer();
  const auto whole_config = bench.write_config("causal", "whole", 12);
  const double seconds = bench.run({"pretrain", "-c", whole_config}).seconds;
  const auto expected = weights_hash(bench / "whole");

  const auto config = bench.write_config("causal", "killed", 12);
  // As soon as the run and its first checkpoint are there, then at moments spread over it; each
  // part goes on where the last one was killed.
  const fs::path run = bench / "killed";
  std::vector<PlannedSignal> kills = {
      signal_when_exists(SIGKILL, run / "run.json"),
      signal_when_exists(SIGKILL, run / "checkpoints/step-00000005")};
  for (const double share : {0.3, 0.5, 0.7, 0.85}) {
    kills.push_back(signal_after(SIGKILL, share * seconds));
  }
  int hits = 0;
  for (const PlannedSignal& kill : kills) {
    ProcessOptions options;
    options.signals.push_back(kill);
    options.env["LLMCTL_CACHE"] = (bench / "cache").string();
    options.directory = bench.path();
    hits += run_llmctl({"pretrain", "-c", config}, options).signal == SIGKILL;
  }
  EXPECT_GE(hits, 1) << "no kill came before the run's end: nothing was tested";
  bench.run({"pretrain", "-c", config});
  EXPECT_EQ(weights_hash(bench / "killed"), expected);
  // No record is there twice.
  std::istringstream lines(slurp(bench / "killed/metrics.jsonl"));
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    const std::string key = record["split"].get<std::string>() + " " + record["step"].dump();
    EXPECT_TRUE(seen.insert(key).second) << line;
  }
}

TEST(Faults, KilledInsideEverySaveItResumesToTheSameWeights) {
  Workbench bench;
  bench.train_tokenizer();
  bench.run({"pretrain", "-c", bench.write_config("causal", "whole", 6)});
  const auto expected = weights_hash(bench / "whole");
  for (const char* point : {"step:3", "rename:2", "rename:5", "fsync:4", "fsync:9", "write:6"}) {
    const std::string name = std::string("killed-") + point[0] +
                             std::string(point).substr(std::string(point).find(':') + 1);
    const auto config = bench.write_config("causal", name, 6);
    ProcessOptions options;
    options.env["LLMCTL_FAULT"] = point;
    options.env["LLMCTL_CACHE"] = (bench / "cache").string();
    options.directory = bench.path();
    const auto killed = run_llmctl({"pretrain", "-c", config}, options);
    EXPECT_NE(killed.status, 0) << point << killed.describe();
    bench.run({"pretrain", "-c", config});
    EXPECT_EQ(weights_hash(bench / name), expected) << point;
  }
}

TEST(Faults, SignalsFinishTheStepAndSave) {
  for (const auto& [signal, status] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    Workbench bench;
    bench.train_tokenizer();
    const auto config = bench.write_config("causal", "run", 100000);
    ProcessOptions options;
    options.signals.push_back(signal_when_exists(signal, bench / "run/checkpoints/step-00000005"));
    const auto result = bench.run({"pretrain", "-c", config, "--json"}, status, options);
    const json report = json::parse(result.out);
    EXPECT_GE(report["steps"], 5);
    // What was saved is the step that it stopped at.
    const json trainer = json::parse(slurp(bench / "run/last/trainer.json"));
    EXPECT_EQ(trainer["step"], report["steps"]);
  }
}

TEST(Faults, ASignalWhileTextIsTokenizedEndsAsSignalsDo) {
  for (const auto& [signal, status] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    Workbench bench;
    bench.train_tokenizer();
    std::string text;
    const std::string once = slurp(bench / "en.txt") + "\n\n";
    while (text.size() < 60'000'000) text += once;  // seconds of work
    bench.write("long.txt", text);
    ProcessOptions options;
    options.signals.push_back(signal_when_exists(signal, bench / "cache"));
    const auto result =
        bench.run({"pretrain", "-c", bench.write_config("causal", "run", 5), "--set",
                   R"(data.train=["long.txt"])", "--set", R"(data.valid=["en.txt"])"},
                  status, options);
    expect_one_line_error(result, {"interrupted by SIG"});
    for (const auto& entry : fs::recursive_directory_iterator(bench / "cache"))
      EXPECT_TRUE(entry.is_directory()) << "left behind: " << entry.path();
  }
}

TEST(Faults, AFullDiskWhileCheckpointingIsAWarningAndThreeAreTheEnd) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 40);
  ProcessOptions options;
  options.limits.emplace_back(RLIMIT_FSIZE,
                              100 * 1024);  // less than the weights, more than logs and shards need
  const auto result = bench.run(
      {"pretrain", "-c", config, "--set", "eval.every=1000", "--set", "eval.at_end=false"}, 74,
      options);
  EXPECT_THAT(result.err, HasSubstr("warning"));
  EXPECT_FALSE(fs::exists(bench / "run/last"));
  for (const auto& entry : fs::directory_iterator(bench / "run/checkpoints"))
    ADD_FAILURE() << "left behind: " << entry.path();
}

TEST(Faults, AFullDiskForAnyOtherOutputIs74) {
  Workbench bench;
  bench.pretrain("causal", "run", 5);
  bench.write("prompts.txt", "The\n");
  ProcessOptions options;
  options.limits.emplace_back(RLIMIT_FSIZE, 10);
  expect_one_line_error(
      bench.run({"generate", "-m", "run", "-f", "prompts.txt", "-o", "out.jsonl", "-n", "20"}, 74,
                options),
      {"out.jsonl"});
  EXPECT_FALSE(fs::exists(bench / "out.jsonl"));
  expect_one_line_error(bench.run({"export", "-m", "run", "-o", "clean"}, 74, options), {"clean"});
  EXPECT_FALSE(fs::exists(bench / "clean"));
  expect_one_line_error(
      bench.run({"tokenizer", "train", "en.txt", "-o", "tok", "--vocab-size", "500"}, 74, options),
      {"tok"});
  EXPECT_FALSE(fs::exists(bench / "tok"));
  expect_one_line_error(bench.run({"eval", "-m", "run", "-o", "scores.json"}, 74, options),
                        {"scores.json"});
}

TEST(Faults, BatchGenerationGoesOnAfterAKill) {
  Workbench bench;
  bench.pretrain("causal", "run", 5);
  std::string prompts;
  for (int i = 0; i < 60; ++i) prompts += "The number " + std::to_string(i) + "\n";
  bench.write("prompts.txt", prompts);
  const std::vector<std::string> command = {"generate",
                                            "-m",
                                            "run",
                                            "-f",
                                            "prompts.txt",
                                            "-n",
                                            "30",
                                            "--temperature",
                                            "0.9",
                                            "--set",
                                            "generation.batch_size=2",
                                            "-o"};
  auto whole = command;
  whole.push_back("whole.jsonl");
  const double seconds = bench.run(whole).seconds;
  auto killed = command;
  killed.push_back("killed.jsonl");
  int hits = 0;
  for (const double share : {0.3, 0.5, 0.7}) {
    ProcessOptions options;
    options.signals.push_back(signal_after(SIGKILL, share * seconds));
    options.env["LLMCTL_CACHE"] = (bench / "cache").string();
    options.directory = bench.path();
    hits += run_llmctl(killed, options).signal == SIGKILL;
  }
  EXPECT_GE(hits, 1) << "no kill came before the command's end: nothing was tested";
  bench.run(killed);
  EXPECT_EQ(slurp(bench / "killed.jsonl"), slurp(bench / "whole.jsonl"));
}

TEST(Faults, WrongConfigurationsNameThePlace) {
  Workbench bench;
  bench.train_tokenizer();
  const auto good = bench.write_config("causal", "run", 5);
  struct Case {
    std::vector<std::string> arguments;
    int status;
    std::vector<std::string> parts;
  };
  bench.write("broken.json", "{\"run\": {\"dir\": \"x\",}}");
  bench.write("unknown.json", "{\n  \"train\": {\"stepz\": 5}\n}");
  bench.write("type.json", "{\n  \"train\": {\"steps\": \"many\"}\n}");
  bench.write("twice.json", "{\"train\": {\"steps\": 5, \"steps\": 6}}");
  const Case cases[] = {
      {{"pretrain", "-c", "broken.json"}, 78, {"broken.json:1:"}},
      {{"pretrain", "-c", "unknown.json"},
       78,
       {"train.stepz", "did you mean 'steps'", "unknown.json:2:"}},
      {{"pretrain", "-c", "type.json"}, 78, {"train.steps", "expected an integer", "type.json:2:"}},
      {{"pretrain", "-c", "twice.json"}, 78, {"steps", "twice.json:1:"}},
      {{"pretrain", "-c", "absent.json"}, 66, {"absent.json"}},
      {{"pretrain", "-c", good, "--set", "train.stepz=5"},
       78,
       {"train.stepz", "did you mean 'steps'"}},
      {{"pretrain", "-c", good, "--set", "train.epochs=1"}, 78, {"train", "steps", "epochs"}},
      {{"pretrain", "-c", good, "--set", "model.hidden_sise=32"},
       78,
       {"hidden_sise", "did you mean 'hidden_size'"}},
      {{"pretrain", "-c", good, "--set", "model.num_attention_heads=5"},
       78,
       {"hidden_size", "num_attention_heads"}},
      {{"pretrain", "-c", good, "--set", "model.model_type=lama"},
       78,
       {"lama", "did you mean 'llama'"}},
      {{"pretrain", "-c", good, "--set", "objective.type=causal"}, 78, {"causal", "causal_lm"}},
      {{"pretrain", "-c", good, "--set", "data.train=nothing.txt"}, 66, {"nothing.txt"}},
      {{"pretrain", "-c", good, "--set", "data.sequence_length=128"},
       78,
       {"data.sequence_length", "64"}},
      {{"pretrain", "-c", good, "--set", "tokenizer.path=nowhere"}, 66, {"nowhere"}},
      {{"pretrain", "-c", good, "--set", "train.micro_batch_size=3"},
       78,
       {"train.micro_batch_size"}},
      {{"config", "validate", "-c", "unknown.json"}, 78, {"train.stepz"}},
  };
  for (const auto& [arguments, status, parts] : cases) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    expect_one_line_error(bench.run(arguments, status), parts);
    EXPECT_FALSE(fs::exists(bench / "run"));
  }
}

TEST(Faults, DamagedAndMissingFiles) {
  Workbench bench;
  bench.pretrain("causal", "run", 5);
  bench.run({"export", "-m", "run", "-o", "model"});

  expect_one_line_error(bench.run({"generate", "-m", "nowhere", "-p", "a"}, 66), {"nowhere"});
  expect_one_line_error(bench.run({"generate", "-m", "model", "-f", "nothing.txt"}, 66),
                        {"nothing.txt"});

  fs::copy(bench / "model", bench / "truncated");
  fs::resize_file(bench / "truncated/model.safetensors",
                  fs::file_size(bench / "truncated/model.safetensors") - 10);
  expect_one_line_error(bench.run({"generate", "-m", "truncated", "-p", "a"}, 65),
                        {"model.safetensors"});

  fs::copy(bench / "model", bench / "headless");
  bench.write("headless/model.safetensors", "");
  expect_one_line_error(bench.run({"generate", "-m", "headless", "-p", "a"}, 65),
                        {"model.safetensors"});

  fs::copy(bench / "model", bench / "odd");
  json config = json::parse(slurp(bench / "odd/config.json"));
  config["num_attention_heads"] = 3;
  bench.write("odd/config.json", config.dump());
  expect_one_line_error(bench.run({"generate", "-m", "odd", "-p", "a"}, 65),
                        {"config.json", "num_attention_heads"});

  fs::copy(bench / "model", bench / "tokenless");
  bench.write("tokenless/tokenizer.model", "no model");
  expect_one_line_error(bench.run({"generate", "-m", "tokenless", "-p", "a"}, 65),
                        {"tokenizer.model"});

  bench.write("bad.txt", "fine\nbroken \xff\xfe here\n");
  expect_one_line_error(bench.run({"generate", "-m", "model", "-f", "bad.txt"}, 65),
                        {"bad.txt", "2", "UTF-8"});
  expect_one_line_error(bench.run({"generate", "-m", "model", "-p", "broken \xff"}, 65),
                        {"UTF-8", "7"});
  expect_one_line_error(bench.run({"tokenizer", "train", "bad.txt", "-o", "t"}, 65),
                        {"bad.txt", "UTF-8"});

  std::string long_prompt;
  for (int i = 0; i < 500; ++i) long_prompt += "word ";
  expect_one_line_error(bench.run({"generate", "-m", "model", "-p", long_prompt}, 65), {"64"});

  fs::create_directory(bench / "full");
  bench.write("full/notes.txt", "mine");
  const auto config_file = bench.write_config("causal", "full", 5);
  expect_one_line_error(bench.run({"pretrain", "-c", config_file}, 73), {"full", "run.json"});
  expect_one_line_error(bench.run({"pretrain", "-c", config_file, "--overwrite"}, 73), {"full"});
  EXPECT_EQ(slurp(bench / "full/notes.txt"), "mine");
}

TEST(Faults, ADamagedCheckpointFallsBackToTheOneBefore) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 15);
  bench.run({"pretrain", "-c", config});
  const auto expected = weights_hash(bench / "run");
  std::fstream weights(fs::canonical(bench / "run/last/model.safetensors"),
                       std::ios::in | std::ios::out | std::ios::binary);
  weights.seekp(-20, std::ios::end);
  weights.put('x');
  weights.close();
  const auto result = bench.run({"pretrain", "-c", config});
  EXPECT_THAT(result.err, HasSubstr("step-00000015"));
  EXPECT_EQ(weights_hash(bench / "run"), expected);
}

TEST(Faults, ARunOfAnotherConfigurationIsRefused) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 5);
  bench.run({"pretrain", "-c", config});
  expect_one_line_error(bench.run({"pretrain", "-c", config, "--set", "optim.lr=0.1"}, 78),
                        {"optim.lr (0.003, now 0.1)", "--change"});
  expect_one_line_error(bench.run({"pretrain", "-c", config, "--set", "run.seed=8"}, 78),
                        {"run.seed", "-m run -o "});
  bench.run({"pretrain", "-c", config, "--set", "log.every=1"});
  expect_one_line_error(bench.run({"pretrain", "-c", config, "--set", "run.resume=never"}, 73),
                        {"holds a run"});
  bench.run({"pretrain", "-c", config, "--set", "optim.lr=0.1", "--overwrite"});
  // The resolved configuration repeats the run.
  const auto expected = weights_hash(bench / "run");
  bench.run({"pretrain", "-c", "run/run.json", "-o", "again"});
  EXPECT_EQ(weights_hash(bench / "again"), expected);
}

TEST(Faults, WithoutAGpuCudaIsAClearError) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 2);
  if (environment_or("LLMCTL_TEST_DEVICE", "cpu") != "cpu") GTEST_SKIP() << "there is a GPU";
  ProcessOptions none;
  none.env["CUDA_VISIBLE_DEVICES"] = "";
  expect_one_line_error(bench.run({"pretrain", "-c", config, "--device", "cuda"}, 78, none),
                        {"CUDA"});
  bench.run({"pretrain", "-c", config, "--device", "auto"}, 0, none);
}

}  // namespace
}  // namespace llmctl::test
