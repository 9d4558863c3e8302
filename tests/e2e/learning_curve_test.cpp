// The same training on growing shares of the labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "e2e/small_classifier.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class LearningCurve : public ::testing::Test {
 protected:
  LearningCurve() {
    bench.train_tokenizer("masked");
    std::string red, green;
    for (int i = 0; i < 40; ++i) {
      const bool is_red = i % 2 == 0;
      const json record = {
          {"text", (is_red ? "a red house " : "a green tree ") + std::to_string(i)},
          {"label", is_red ? "red" : "green"}};
      (is_red ? red : green) += record.dump() + "\n";
    }
    bench.write("red.jsonl", red);
    bench.write("green.jsonl", green);
    config = small_classifier({"red.jsonl", "green.jsonl"}, {{"stratified", 0.5}}, 4, 4);
    config["optim"].erase("warmup_steps");
  }
  ProcessResult run(std::vector<std::string> more, int status = 0) {
    bench.write("run.json", config.dump());
    more.insert(more.begin(), {"finetune", "-c", "run.json"});
    return bench.run(more, status);
  }

  Workbench bench;
  json config;
};

TEST_F(LearningCurve, SharesAreScoredOnTheSameHeldOutTexts) {
  const ProcessResult first = run({"--learning-curve", "1,0.1,0.5", "--json"});
  const json report = json::parse(first.out);
  const json curve = json::parse(slurp(bench / "run/learning_curve.json"));
  EXPECT_EQ(report["learning_curve"], curve);
  ASSERT_EQ(curve["shares"].size(), 3u);
  const double shares[] = {0.1, 0.5, 1};
  const int records[] = {2, 10, 20};
  for (int i = 0; i < 3; ++i) {
    const json& point = curve["shares"][i];
    EXPECT_EQ(point["share"], shares[i]);
    EXPECT_EQ(point["records"], records[i]) << "half of the forty is held out";
    EXPECT_EQ(point["scores"]["accuracy"]["count"], 20) << point.dump();
  }

  EXPECT_TRUE(std::filesystem::exists(bench / "run/best/model.safetensors"));
  EXPECT_EQ(weights_hash(bench / "run"), weights_hash(bench / "run/shares/1.0"));

  // A share that is lost is trained again, the others stand.
  const std::string before = weights_hash(bench / "run/shares/0.5");
  std::filesystem::remove_all(bench / "run/shares/1.0");
  const json again = json::parse(run({"--learning-curve", "0.1,0.5,1", "--json"}).out);
  EXPECT_EQ(again["learning_curve"]["shares"], curve["shares"]);
  EXPECT_EQ(weights_hash(bench / "run/shares/0.5"), before);

  const std::string table = run({"--learning-curve", "0.1,0.5,1"}).out;
  EXPECT_THAT(table, HasSubstr("share"));
  EXPECT_THAT(table, HasSubstr("accuracy"));
  EXPECT_THAT(table, HasSubstr("  0.5"));
}

TEST_F(LearningCurve, WhatItCannotCompareIsRefused) {
  config["data"].erase("valid");
  expect_one_line_error(run({"--learning-curve", "0.5,1"}, 78), {"learning_curve", "data.valid"});
  config["data"]["valid"] = {{"stratified", 0.5}};
  expect_one_line_error(run({"--learning-curve", "0,1"}, 78), {"learning_curve.shares", "0"});
  expect_one_line_error(run({"--learning-curve", "0.5,0.5"}, 78), {"twice"});
  config["data"]["share"] = 0.5;
  expect_one_line_error(run({"--learning-curve", "0.5,1"}, 78), {"data.share"});
  EXPECT_THAT(run({"--dry-run", "--unset", "data.share", "--learning-curve", "0.5,1"}).out,
              HasSubstr("shares of the labels of 0.5, 1.0"));
  EXPECT_FALSE(std::filesystem::exists(bench / "run"));
}

TEST_F(LearningCurve, EntriesOfSeveralFilesAreTold) {
  config["data"]["train"] = {"red.jsonl", {{"path", "green.jsonl"}, {"weight", 0.25}}};
  const std::string told = run({}).err;
  EXPECT_THAT(told, HasSubstr("data.train: red.jsonl: 10 records, weight 1.0: 10 visits an epoch"));
  EXPECT_THAT(told, HasSubstr("data.train: green.jsonl: 10 records, weight 0.25: "));
  // A run goes on under another temperature when it is asked to.
  config["data"]["temperature"] = 100;
  config["train"]["steps"] = 6;
  expect_one_line_error(run({}, 78), {"data.temperature", "--change"});
  EXPECT_THAT(run({"--change"}).err, HasSubstr("red.jsonl: 10 records, weight 0.6"));
}

}  // namespace
}  // namespace llmctl::test
