// Runs that go on: with other settings, from other places, for longer; and where paths lead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

TEST(Changes, OnRequestOnlyKeptAndShown) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 10);
  bench.run({"pretrain", "-c", config});
  const std::string before = slurp(bench / "run/run.json");
  const auto weights = weights_hash(bench / "run");
  std::vector<std::string> words = {"pretrain",       "-c",    config,          "--set",
                                    "optim.lr=0.001", "--set", "train.steps=14"};
  const auto refused = bench.run(words, 78);
  expect_one_line_error(refused,
                        {"optim.lr (0.003, now 0.001)", "train.steps (10, now 14)", "--change"});
  // A dry run of it too, and neither has touched the run.
  words.push_back("--dry-run");
  EXPECT_EQ(bench.run(words, 78).err, refused.err);
  EXPECT_EQ(slurp(bench / "run/run.json"), before);
  EXPECT_EQ(weights_hash(bench / "run"), weights);

  words.back() = "--change";
  words.push_back("--dry-run");
  EXPECT_THAT(bench.run(words).out, HasSubstr("optim.lr 0.001, before 0.003"));
  EXPECT_EQ(slurp(bench / "run/run.json"), before);
  words.pop_back();
  bench.run(words);
  EXPECT_EQ(json::parse(slurp(bench / "run/run.json"))["changes"],
            json::parse(R"([{"step": 10, "key": "optim.lr", "from": 0.003, "to": 0.001},
                            {"step": 10, "key": "train.steps", "from": 10, "to": 14}])"));
  const json shown = json::parse(bench.run({"inspect", "run", "--json"}).out);
  ASSERT_EQ(shown["changes"].size(), 2u);
  EXPECT_EQ(shown["changes"][0]["step"], 10);
  EXPECT_EQ(shown["changes"][0]["key"], "optim.lr");
  const std::string text = bench.run({"inspect", "run"}).out;
  EXPECT_THAT(text, HasSubstr("optim.lr"));
  EXPECT_THAT(text, HasSubstr("step 10"));

  // What is done is not undone.
  expect_one_line_error(
      bench.run({"pretrain", "-c", config, "--set", "train.steps=5", "--change"}, 78),
      {"has done 14 steps", "train.steps (5) cannot be less", "-m run -o "});
  EXPECT_EQ(json::parse(slurp(bench / "run/run.json"))["train"]["steps"], 14);

  // What can never change names the way round, in a dry run too.
  for (const bool dry : {false, true}) {
    std::vector<std::string> never = {"pretrain", "-c",    config,
                                      "--change", "--set", "model.hidden_size=64"};
    if (dry) never.push_back("--dry-run");
    expect_one_line_error(bench.run(never, 78), {"model.hidden_size (32, now 64)", "-m run -o "});
  }
}

/// Keys of another task, and of another type of model, are not held against the run's.
TEST(Changes, AnotherTaskOrTypeOfModelIsNamed) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("train.jsonl",
              R"({"text": "a red house", "label": "red", "tokens": ["a"], "tags": ["O"]})"
              "\n"
              R"({"text": "a green tree", "label": "green", "tokens": ["b"], "tags": ["O"]})"
              "\n");
  json config = {{"run", {{"dir", "run"}}},
                 {"model",
                  {{"model_type", "bert"},
                   {"hidden_size", 16},
                   {"intermediate_size", 16},
                   {"num_hidden_layers", 1},
                   {"num_attention_heads", 2}}},
                 {"tokenizer", {{"path", "tokenizer-masked"}}},
                 {"data", {{"train", {"train.jsonl"}}, {"sequence_length", 32}}},
                 {"task", {{"type", "sequence_classification"}, {"calibrate", false}}},
                 {"train", {{"steps", 2}, {"batch_size", 2}, {"device", "cpu"}}}};
  const auto run = [&](const std::string& command, int status) {
    bench.write("c.json", config.dump());
    return bench.run({command, "-c", "c.json"}, status);
  };
  run("finetune", 0);
  const json good = config;
  config["task"] = {{"type", "token_classification"}};
  expect_one_line_error(
      run("finetune", 78),
      {"run: its run was started with another task (task.type (\"sequence_classification\", now "
       "\"token_classification\")), which cannot change",
       "-m run -o NEW", "--overwrite"});
  config.erase("task");
  config["objective"] = {{"type", "masked_lm"}};
  expect_one_line_error(
      run("pretrain", 78),
      {"started with another objective (objective.type (\"sequence_classification\", now "
       "\"masked_lm\"))",
       "--overwrite"});
  config = good;
  config["model"] = {{"model_type", "gpt2"}, {"n_embd", 16}, {"n_layer", 1}, {"n_head", 2}};
  expect_one_line_error(run("finetune", 78), {"started with another type of model",
                                              "model.model_type (\"bert\", now \"gpt2\")"});
  config = good;
  config["model"] = {{"init_from", "run"}};
  expect_one_line_error(run("finetune", 78), {"started with another type of model", "now absent"});
  // Another kind of tokenizer at the same place.
  config = good;
  bench.run({"tokenizer", "train", "train.jsonl", "-o", "tokenizer-masked", "--overwrite",
             "--recipe", "masked", "--set", "model_type=char", "--set", "hard_vocab_limit=false",
             "--vocab-size", "60"});
  expect_one_line_error(run("finetune", 78), {"run", "another tokenizer", "--overwrite"});
  run("finetune", 78);
  // Overwriting is no way to begin from what it removes.
  for (const auto& [key, arguments] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"model.init_from", {"-m", "run"}},
           {"tokenizer.path", {"--set", "tokenizer.path=run"}}}) {
    std::vector<std::string> all = {"finetune", "-c", "c.json", "--overwrite"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    expect_one_line_error(bench.run(all, 73), {"run: --overwrite would remove " + key, "-o NEW"});
  }
  bench.run({"eval", "-m", "run", "--data", "train.jsonl"});
  config = good;
  config["run"]["dir"] = "new";
  run("finetune", 0);
}

TEST(Changes, ARunMadeLongerEqualsOneOfThatLength) {
  Workbench bench;
  bench.train_tokenizer();
  const auto start = [&](const std::string& run, int steps, std::vector<std::string> more) {
    std::vector<std::string> words = {"pretrain",
                                      "-c",
                                      bench.write_config("causal", run, steps),
                                      "--set",
                                      "optim.schedule=constant",
                                      "--set",
                                      "model.attention_dropout=0.1"};
    words.insert(words.end(), more.begin(), more.end());
    bench.run(words);
  };
  start("whole", 16, {});
  start("parts", 8, {});
  EXPECT_NE(weights_hash(bench / "parts"), weights_hash(bench / "whole"));
  start("parts", 16, {"--change"});
  EXPECT_EQ(weights_hash(bench / "parts"), weights_hash(bench / "whole"));
}

TEST(Changes, OtherKernelsAreNamed) {
  Workbench bench;
  bench.train_tokenizer();
  bench.run({"pretrain", "-c", bench.write_config("causal", "run", 5)});
  const auto more = [&](int steps) {
    return bench.run({"pretrain", "-c", bench.write_config("causal", "run", steps), "--change"})
        .err;
  };
  EXPECT_THAT(more(6), Not(HasSubstr("other kernels")));
  json environment = json::parse(slurp(bench / "run/environment.json"));
  const std::string library = environment["fp32_products"];
  environment["fp32_products"] = "another";
  bench.write("run/environment.json", environment.dump());
  EXPECT_THAT(more(7), HasSubstr("fp32_products \"" + library + "\", before \"another\""));
}

/// bf16 that was asked for is done everywhere, and said to be slow where nothing multiplies it.
TEST(Precision, Bf16WithoutInstructionsForItIsToldToBeSlow) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 2);
  const auto started = [&](const std::string& run, const std::string& precision) {
    return bench.run({"pretrain", "-c", config, "-o", run, "--set", "train.precision=" + precision})
        .err;
  };
  EXPECT_THAT(started("exact", "fp32"), Not(HasSubstr("slower here")));
  EXPECT_THAT(started("chosen", "auto"), Not(HasSubstr("slower here")));
  const std::string told = started("bf16", "bf16");
  const json environment = json::parse(slurp(bench / "bf16/environment.json"));
  EXPECT_EQ(environment["precision"], "bf16");
  const std::string features = environment["cpu_features"].dump();
  const bool slow = features.find("avx2") != std::string::npos &&
                    features.find("bf16") == std::string::npos && environment["device"] == "cpu";
  EXPECT_EQ(told.find("train.precision: bf16 is several times slower here") != std::string::npos,
            slow)
      << features << told;
}

TEST(Paths, ATokenizerMayBeNamedByItsRun) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 2);
  const std::vector<std::string> again = {"pretrain",          "-c", config, "-o", "again", "--set",
                                          "tokenizer.path=run"};
  bench.write("run/run.json", "{}");
  expect_one_line_error(bench.run(again, 66), {"run: the run has no checkpoint yet"});
  fs::remove_all(bench / "run");
  bench.run({"pretrain", "-c", config});
  bench.run(again);
  EXPECT_EQ(weights_hash(bench / "again"), weights_hash(bench / "run"));
  EXPECT_EQ(bench.run({"tokenizer", "encode", "-m", "run", "a market"}).out,
            bench.run({"tokenizer", "encode", "-m", "tokenizer-causal", "a market"}).out);
}

TEST(Paths, TildeAndTheDirectoryOfTheStart) {
  Workbench bench;
  bench.train_tokenizer();
  ProcessOptions home;
  home.env["HOME"] = bench.path().string();
  json config = json::parse(slurp(bench / bench.write_config("causal", "run", 5)));
  config["run"]["dir"] = "~/run";
  config["tokenizer"]["path"] = "~/tokenizer-causal";
  config["data"]["train"] = {"~/en.txt", {{"path", "~/zh.txt"}}};
  config["data"]["cache"] = "~/own-cache";
  bench.write("tilde.json", config.dump());
  fs::create_directories(bench / "elsewhere/deep");
  ProcessOptions there = home;
  there.directory = bench / "elsewhere";
  bench.run({"pretrain", "-c", "../tilde.json"}, 0, there);
  const json kept = json::parse(slurp(bench / "run/run.json"));
  EXPECT_EQ(kept["run"]["dir"], (bench / "run").string());
  EXPECT_EQ(kept["tokenizer"]["path"], (bench / "tokenizer-causal").string());
  EXPECT_EQ(kept["data"]["train"][0]["path"], (bench / "en.txt").string());
  EXPECT_EQ(kept["data"]["train"][1]["path"], (bench / "zh.txt").string());
  EXPECT_TRUE(fs::exists(bench / "own-cache"));
  // What the run keeps goes on from anywhere, without HOME too; here with two steps more.
  ProcessOptions deep;
  deep.directory = bench / "elsewhere/deep";
  deep.unset = {"HOME"};
  bench.run({"pretrain", "-c", "../../run/run.json", "--set", "train.steps=7", "--change"}, 0,
            deep);
  EXPECT_EQ(fs::read_symlink(bench / "run/last").filename(), "step-00000007");
  EXPECT_FALSE(fs::exists(bench / "elsewhere/run"));

  // The entries of eval's tasks follow the same rule.
  bench.write("eval.json", R"({"model": {"init_from": "~/run"}, "output": {"file": "~/scores.json"},
    "tasks": [{"type": "causal_lm", "data": ["~/zh.txt"], "train": ["~/en.txt"]}],
    "baselines": ["ngram:2"]})");
  bench.run({"eval", "-c", "../eval.json"}, 0, there);
  EXPECT_TRUE(json::parse(slurp(bench / "scores.json")).contains("scores"));
  bench.write("gold.jsonl", R"({"id": "1", "prompt": "a", "answer": "b"})");
  bench.write("said.jsonl", R"({"id": "1", "prompt": "a", "prediction": "b"})");
  bench.write("file.json", R"({"tasks": [{"type": "text_generation",
    "predictions": "~/said.jsonl", "references": ["~/gold.jsonl"]}]})");
  EXPECT_EQ(json::parse(bench.run({"eval", "-c", "../file.json", "--json"}, 0, there)
                            .out)["scores"]["exact_match"],
            100);
  // Preparation too.
  bench.write("words.txt", "the\n");
  bench.write("prepare.json", R"({"input": "~/en.txt", "output": "~/prepared",
    "contamination": {"against": ["~/gold.jsonl"]}, "clean": {"stop_words": "~/words.txt"}})");
  bench.run({"data", "prepare", "-c", "../prepare.json"}, 0, there);
  EXPECT_TRUE(fs::exists(bench / "prepared"));
  // A template in a file.
  bench.write("talk.jinja",
              "{% for m in messages %}{% generation %}{{ m.content }}"
              "{% endgeneration %}{% endfor %}");
  bench.write("pairs.jsonl", R"({"messages": [{"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"}]})");
  std::string line = slurp(bench / "pairs.jsonl");
  line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
  bench.write("pairs.jsonl", line);
  bench.run({"finetune", "-m", "~/run", "-o", "~/tuned", "--set", "data.train=~/pairs.jsonl",
             "--set", "task.type=text_generation", "--set", "task.chat_template=~/talk.jinja",
             "--set", "train.steps=1", "--set", "train.batch_size=1"},
            0, there);
  EXPECT_EQ(json::parse(slurp(bench / "tuned/run.json"))["task"]["chat_template"],
            (bench / "talk.jinja").string());
}

}  // namespace
}  // namespace llmctl::test
