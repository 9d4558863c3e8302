// Learning from few labels: rounds of self-training, their records, and going on with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "e2e/small_classifier.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

std::string lines_of(int from, int to, bool labelled) {
  std::string lines;
  for (int i = from; i < to; ++i) {
    const bool red = i % 2 == 0;
    json record = {
        {"text", std::string(red ? "a red house " : "a green tree ") + std::to_string(i)}};
    if (labelled) record["label"] = red ? "red" : "green";
    lines += record.dump() + "\n";
  }
  return lines;
}

class SelfTrainingTest : public testing::Test {
 protected:
  SelfTrainingTest() {
    bench_.train_tokenizer("masked");
    bench_.write("train.jsonl", lines_of(0, 20, true));
    bench_.write("unlabelled.jsonl", lines_of(100, 140, false));
    config_ = small_classifier({"train.jsonl"}, {{"stratified", 0.3}}, 16, 8);
    config_["eval"] = {{"every", 8}};
    config_["self_training"] = {{"unlabelled", {"unlabelled.jsonl"}},
                                {"threshold", 0.5},
                                {"rounds", 2},
                                {"patience", 2},
                                {"most_per_class", 10}};
  }
  std::vector<std::string> command() {
    bench_.write("run.json", config_.dump());
    return {"finetune", "-c", "run.json", "--json"};
  }

  Workbench bench_;
  json config_;
};

TEST_F(SelfTrainingTest, RoundsAreKeptAndTheBestIsTheRunsModel) {
  const json report = json::parse(bench_.run(command()).out);
  const json state = json::parse(slurp(bench_ / "run/self_training.json"));
  EXPECT_EQ(report["self_training"], state);
  ASSERT_EQ(state["rounds"].size(), 3u);
  EXPECT_FALSE(state["rounds"][0].contains("taught"));
  for (int round : {1, 2}) {
    const json& facts = state["rounds"][round];
    EXPECT_EQ(facts["seen"], 40);
    EXPECT_LE(facts["counts"]["red"], 10);
    EXPECT_EQ(facts["taught"].get<int>(),
              facts["counts"]["red"].get<int>() + facts["counts"]["green"].get<int>());
    EXPECT_TRUE(facts["scores"].contains("accuracy"));
    const std::string taught = slurp(bench_ / "run/taught" / (std::to_string(round) + ".jsonl"));
    EXPECT_EQ(std::count(taught.begin(), taught.end(), '\n'), facts["taught"]);
  }
  const std::string best = fs::read_symlink(bench_ / "run/best").string();
  EXPECT_TRUE(best.starts_with("rounds/" + std::to_string(state["best_round"].get<int>()) + "/"))
      << best;
  bench_.run({"generate", "-m", "run", "-p", "a red house"});
  // What was held out is of the labelled texts alone, in every round.
  const json scored = json::parse(bench_.run({"eval", "-m", "run", "--json"}).out);
  EXPECT_EQ(scored["scores"]["total"], 6);
  EXPECT_EQ(scored["scores"]["accuracy"],
            state["rounds"][state["best_round"].get<int>()]["scores"]["accuracy"]["value"]);
}

TEST_F(SelfTrainingTest, AStoppedCommandGoesOn) {
  bench_.run(command());
  const json whole = json::parse(slurp(bench_ / "run/self_training.json"));
  const std::string hash = weights_hash(bench_ / "run/rounds/2");
  // As if it had been stopped in its second round.
  fs::remove_all(bench_ / "run/rounds/2");
  fs::remove_all(bench_ / "run/taught/2.jsonl");
  json half = whole;
  half["rounds"].erase(2);
  bench_.write("run/self_training.json", half.dump());
  bench_.run(command());
  EXPECT_EQ(json::parse(slurp(bench_ / "run/self_training.json")), whole);
  EXPECT_EQ(weights_hash(bench_ / "run/rounds/2"), hash);

  config_["self_training"]["threshold"] = 0.9;
  const auto other = bench_.run(command(), 78);
  expect_one_line_error(other, {"started with another value of self_training.threshold"});
  const json self_training = config_["self_training"];
  config_.erase("self_training");
  expect_one_line_error(bench_.run(command(), 73), {"holds a self-training", "--overwrite"});
  EXPECT_EQ(weights_hash(bench_ / "run/rounds/2"), hash);
  config_["self_training"] = self_training;
  auto anew = command();
  anew.push_back("--overwrite");
  anew.insert(anew.end(), {"--set", "self_training.rounds=1"});
  bench_.run(anew);
  EXPECT_FALSE(fs::exists(bench_ / "run/rounds/2"));
}

TEST_F(SelfTrainingTest, WhatCannotBeIsRefusedBeforeTheFirstStep) {
  const auto refused = [&](const std::string& message, int status = 78) {
    for (const bool dry : {false, true}) {
      auto words = command();
      if (dry) words.push_back("--dry-run");
      expect_one_line_error(bench_.run(words, status), {message});
      EXPECT_FALSE(fs::exists(bench_ / "run"));
    }
  };
  const json good = config_;
  config_["data"].erase("valid");
  refused("needs validation data");
  config_ = good;
  config_["task"]["problem_type"] = "regression";
  refused("numbers (problem_type regression) have no probabilities");
  config_ = good;
  config_["self_training"]["unlabelled"] = "nowhere.jsonl";
  refused("nowhere.jsonl: no such file", 66);
  config_ = good;
  config_["self_training"].erase("unlabelled");
  refused("self_training.unlabelled: missing");
  config_ = good;
  auto dry = command();
  dry.back() = "--dry-run";
  EXPECT_THAT(bench_.run(dry).out, HasSubstr("at most 2 rounds"));
}

/// Whether the training records of a run have a term that is above 0.
bool records_have(const fs::path& run, const std::string& term) {
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    if (record["split"] == "train" && record.contains(term)) found = record[term] > 0;
  }
  return found;
}

TEST_F(SelfTrainingTest, ATeacherAndTwoViewsOfTextsWithoutLabels) {
  config_.erase("self_training");
  config_["log"] = {{"every", 2}};
  config_["run"]["dir"] = "teacher";
  bench_.run(command());
  config_["run"]["dir"] = "student";
  config_["task"]["unlabelled"] = {"unlabelled.jsonl"};
  expect_one_line_error(bench_.run(command(), 78), {"task.unlabelled", "neither is asked for"});
  config_["task"].erase("unlabelled");
  config_["task"]["unlabelled_share"] = 0.5;
  expect_one_line_error(bench_.run(command(), 78), {"task.unlabelled_share", "no file"});
  config_["task"]["unlabelled"] = {"unlabelled.jsonl"};
  config_["task"]["distillation"] = {{"teacher", "teacher"}, {"weight", 0.7}};
  config_["task"]["consistency"] = 1;
  bench_.write("nothing.txt", "\n");
  config_["task"]["unlabelled"] = {"nothing.txt"};
  expect_one_line_error(bench_.run(command(), 65), {"nothing.txt", "no text"});
  config_["task"]["unlabelled"] = {"unlabelled.jsonl"};
  const auto ran = bench_.run(command());
  EXPECT_THAT(ran.err, HasSubstr("teacher has given its probabilities of 54 texts"));
  EXPECT_TRUE(records_have(bench_ / "student", "distillation"));
  EXPECT_TRUE(records_have(bench_ / "student", "consistency"));
  EXPECT_TRUE(records_have(bench_ / "student", "loss"));

  // A run that was stopped goes on to the same weights.
  const std::string hash = weights_hash(bench_ / "student");
  config_["run"]["dir"] = "again";
  config_["checkpoint"] = {{"every", 4}, {"keep_last", 9}};
  bench_.run(command());
  EXPECT_EQ(weights_hash(bench_ / "again"), hash);
  for (const char* step : {"step-00000016", "step-00000012"})
    fs::remove_all(bench_ / "again/checkpoints" / step);
  bench_.run(command());
  EXPECT_EQ(weights_hash(bench_ / "again"), hash);

  config_["run"]["dir"] = "other";
  config_["task"]["labels"] = {"red", "green", "blue"};
  const std::string unknown = "task.distillation.teacher: teacher has no class 'blue'";
  expect_one_line_error(bench_.run(command(), 78), {unknown});
  auto dry = command();
  dry.push_back("--dry-run");
  expect_one_line_error(bench_.run(dry, 78), {unknown});
  EXPECT_FALSE(fs::exists(bench_ / "other")) << "a teacher is looked at before anything is written";
  // A language model has logits, too, and by default classes named 0 and 1.
  bench_.pretrain("causal", "language-model", 2);
  config_["task"]["distillation"]["teacher"] = "language-model";
  config_["task"].erase("labels");
  dry = command();
  dry.push_back("--dry-run");
  expect_one_line_error(bench_.run(dry, 78),
                        {"task.distillation.teacher: language-model is a LlamaForCausalLM"});
  config_["task"]["distillation"]["teacher"] = "nobody";
  dry = command();
  dry.push_back("--dry-run");
  expect_one_line_error(bench_.run(dry, 66), {"nobody"});
}

TEST_F(SelfTrainingTest, HiddenStatesOfATeacherAndNoiseOfWords) {
  config_.erase("self_training");
  config_["log"] = {{"every", 2}};
  config_["run"]["dir"] = "teacher";
  config_["model"]["hidden_size"] = 48;
  config_["model"]["num_hidden_layers"] = 2;
  bench_.run(command());
  config_["run"]["dir"] = "student";
  config_["model"]["hidden_size"] = 32;
  config_["model"]["num_hidden_layers"] = 1;
  config_["task"]["word_noise"] = 0.2;
  expect_one_line_error(bench_.run(command(), 78), {"task.word_noise", "consistency"});
  config_["task"]["consistency"] = 1;
  config_["task"]["word_noise_kind"] = "drop";
  config_["task"]["distillation"] = {{"teacher", "teacher"}, {"hidden_weight", 2}};
  config_["optim"]["ema"] = 0.9;
  config_["checkpoint"] = {{"every", 4}, {"keep_last", 9}};
  bench_.run(command());
  for (const char* term : {"loss", "distillation", "hidden", "consistency"})
    EXPECT_TRUE(records_have(bench_ / "student", term)) << term;
  // The maps are kept for going on, and are no part of the model.
  const fs::path last = bench_ / "student/last";
  EXPECT_THAT(bench_.run({"inspect", (last / "optimizer.safetensors").string()}).out,
              HasSubstr("value.distillation.map."));
  EXPECT_THAT(bench_.run({"inspect", (last / "model.safetensors").string()}).out,
              Not(HasSubstr("distillation")));

  // A run that was stopped goes on to the same weights, of the maps too.
  const std::string weights = slurp(last / "model.safetensors"),
                    state = slurp(last / "optimizer.safetensors");
  for (const char* step : {"step-00000016", "step-00000012"})
    fs::remove_all(bench_ / "student/checkpoints" / step);
  bench_.run(command());
  EXPECT_EQ(slurp(last / "model.safetensors"), weights);
  EXPECT_EQ(slurp(last / "optimizer.safetensors"), state);

  config_["run"]["dir"] = "other";
  config_["model"]["num_hidden_layers"] = 3;
  auto dry = command();
  dry.push_back("--dry-run");
  expect_one_line_error(bench_.run(dry, 78),
                        {"task.distillation.hidden_layers", "2 layers", "model's 3"});
  config_["model"]["num_hidden_layers"] = 1;
  config_["task"]["distillation"]["hidden_layers"] = {{1, 2, 3}};
  expect_one_line_error(bench_.run(command(), 78), {"task.distillation.hidden_layers", "pairs"});
  config_["task"]["distillation"].erase("hidden_layers");
  // Another tokenizer has other tokens.
  bench_.run({"tokenizer", "train", "unlabelled.jsonl", "-o", "letters", "--recipe", "masked",
              "--set", "model_type=char", "--set", "hard_vocab_limit=false", "--vocab-size", "60"});
  config_["tokenizer"]["path"] = "letters";
  config_["run"]["dir"] = "letters-run";
  expect_one_line_error(bench_.run(command(), 78), {"task.distillation.hidden_weight: teacher has",
                                                    "another tokenizer", "tokenizer.path"});
}

TEST_F(SelfTrainingTest, LabelsOfRulesAreLearntBesideOthers) {
  bench_.write("rules.json", R"({"rules": [{"label": "red", "words": ["red"]},
    {"label": "red", "words": ["house"]}, {"label": "green", "regex": "tree", "unless": "101"}]})");
  const std::vector<std::string> label = {"data",       "label", "unlabelled.jsonl", "--rules",
                                          "rules.json", "-o",    "weak.jsonl",       "--json"};
  const json report = json::parse(bench_.run(label).out);
  EXPECT_EQ(report["texts"], 40);
  EXPECT_EQ(report["written"], 39) << "one text has no vote";
  EXPECT_EQ(report["rules"][0]["overlaps"], 20);
  EXPECT_EQ(report["rules"][2]["conflicts"], 0);
  expect_one_line_error(bench_.run(label, 73), {"weak.jsonl"});
  const std::string weak = slurp(bench_ / "weak.jsonl");
  const json first = json::parse(weak.substr(0, weak.find('\n')));
  EXPECT_EQ(first["label"], "red");
  EXPECT_GT(first["confidence"], 0.7);
  config_.erase("self_training");
  config_["data"]["train_only"] = "weak.jsonl";
  EXPECT_THAT(bench_.run(command()).err, HasSubstr("53 texts to train on, 6 held out"));
  config_["task"] = {{"type", "extractive_qa"}};
  config_["run"]["dir"] = "other";
  expect_one_line_error(bench_.run(command(), 78), {"data.train_only: is for sequence_classif"});
}

TEST_F(SelfTrainingTest, EvenVotesLabelNothing) {
  bench_.write("rules.json", R"({"rules": [{"label": "good", "words": ["kind"]},
    {"label": "bad", "words": ["rude"]}]})");
  bench_.write("texts.txt", "kind but rude\nrude\nkind\nneither\n");
  const json report = json::parse(bench_
                                      .run({"data", "label", "texts.txt", "--rules", "rules.json",
                                            "-o", "weak.jsonl", "--json"})
                                      .out);
  EXPECT_EQ(report["voted"], 3);
  EXPECT_EQ(report["written"], 2);
  EXPECT_THAT(slurp(bench_ / "weak.jsonl"), Not(HasSubstr("but")));
}

}  // namespace
}  // namespace llmctl::test
