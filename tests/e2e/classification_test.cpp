// Labels of every kind, from files with bad rows to calibrated answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "e2e/small_classifier.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

/// A run that learns `train.jsonl` with a fresh model of one narrow layer.
std::string config_of(const Workbench& bench, const std::string& run, const json& task,
                      const json& valid, int steps) {
  json config = small_classifier({"train.jsonl"}, valid, steps, 8);
  config["run"]["dir"] = run;
  config["model"]["hidden_dropout_prob"] = 0;
  config["task"].update(task);
  config["eval"] = {{"every", steps}};
  bench.write(run + ".json", config.dump());
  return run + ".json";
}

/// The colour words of a text are its labels; the share of "red" its value.
std::string colours(int count, const std::string& field) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const bool red = i % 2 == 0, blue = i % 3 == 0;
    const std::string text = std::string(red ? "a red house " : "a house ") +
                             (blue ? "and blue water " : "and water ") + std::to_string(i);
    json record = {{"text", text}};
    json labels = json::array();
    if (red) labels.push_back("red");
    if (blue) labels.push_back("blue");
    if (field == "labels") record["labels"] = labels;
    if (field == "label") record["label"] = red ? "red" : "other";
    if (field == "score") record["score"] = red ? 1.5 : -0.5;
    lines += record.dump() + "\n";
  }
  return lines;
}

json params_of(const fs::path& run) {
  return json::parse(
      slurp(run / "best/config.json"))["task_specific_params"]["sequence_classification"];
}

TEST(Classification, BadRowsStopTheRunOrAreLeftOut) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("train.jsonl", colours(20, "label") +
                                 "{\"text\": \"x\"}\n{\"text\": \"\", "
                                 "\"label\": \"red\"}\n\xC4\xE3\n");
  bench.write("valid.csv", "text,label\na red house,red\na house,green\n");
  const auto config = config_of(bench, "run", json::object(), {"valid.csv"}, 2);
  for (const bool dry : {true, false}) {
    std::vector<std::string> words = {"finetune", "-c", config};
    if (dry) words.push_back("--dry-run");
    const auto stopped = bench.run(words, 65);
    EXPECT_THAT(stopped.err, AllOf(HasSubstr("train.jsonl:21: no field 'label' (it has text)"),
                                   HasSubstr("train.jsonl:22: the text is empty"),
                                   HasSubstr("train.jsonl:23: invalid UTF-8"),
                                   HasSubstr("valid.csv:3: unknown class 'green'")));
    expect_one_line_error(stopped, {"4 bad rows, listed above, the first: train.jsonl:21"});
    EXPECT_FALSE(fs::exists(bench / "run"));
  }
  const auto went = bench.run({"finetune", "-c", config, "--skip-bad"});
  EXPECT_THAT(went.err,
              AllOf(HasSubstr("warning: valid.csv:3"), HasSubstr("4 bad rows are left out")));
  EXPECT_EQ(json::parse(slurp(bench / "run/run.json"))["data"]["skip_bad"], true);
  bench.write("other.csv", "text,label\na red house,red\na house,green\n");
  expect_one_line_error(bench.run({"eval", "-m", "run", "--data", "other.csv"}, 65),
                        {"other.csv:3: unknown class 'green'"});
  const auto scored =
      bench.run({"eval", "-m", "run", "--data", "other.csv", "--skip-bad", "--json"});
  EXPECT_EQ(json::parse(scored.out)["scores"]["total"], 1);
}

TEST(Classification, AFinishedRunIsScoredOnOtherHeldOutTexts) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("train.jsonl", colours(20, "label"));
  bench.write("valid.jsonl", "{\"text\": \"a red house\", \"label\": \"red\"}\n");
  bench.write("opposite.jsonl", "{\"text\": \"a red house\", \"label\": \"other\"}\n");
  const auto config = config_of(bench, "run", json::object(), {"valid.jsonl"}, 4);
  const auto accuracy = [&](const std::string& valid, bool told) {
    const auto result =
        bench.run({"finetune", "-c", config, "--set", "data.valid=" + valid, "--json"});
    const std::string line = "what validation scores has changed";
    EXPECT_EQ(result.err.find(line) != std::string::npos, told) << result.err;
    const json report = json::parse(result.out);
    EXPECT_EQ(report["best"]["scores"], report["scores"]);
    return report["scores"]["accuracy"].get<double>();
  };
  const double first = accuracy("valid.jsonl", false);
  EXPECT_EQ(accuracy("opposite.jsonl", true), 100 - first);
  EXPECT_EQ(accuracy("opposite.jsonl", false), 100 - first);
}

TEST(Classification, PairsAreAskedForAsTheyWereLearnt) {
  Workbench bench;
  bench.train_tokenizer("masked");
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    const bool same = i % 2 == 0;
    lines += json{{"sentence1", "a red house"},
                  {"sentence2", same ? "a red house" : "and water"},
                  {"label", same ? "yes" : "no"}}
                 .dump() +
             "\n";
  }
  bench.write("train.jsonl", lines);
  bench.run({"finetune", "-c", config_of(bench, "run", json::object(), {"train.jsonl"}, 2)});
  bench.write("single.jsonl", "{\"text\": \"a red house\", \"label\": \"yes\"}\n");
  const std::string missing = "no second text beside 'text'";
  expect_one_line_error(bench.run({"generate", "-m", "run", "-p", "a red house"}, 65),
                        {"prompt 1: " + missing, "\"pair\""});
  expect_one_line_error(bench.run({"generate", "-m", "run", "-f", "single.jsonl"}, 65),
                        {"single.jsonl:1: " + missing});
  expect_one_line_error(bench.run({"eval", "-m", "run", "--data", "single.jsonl"}, 65),
                        {"single.jsonl:1: " + missing});
  bench.write("pair.jsonl", "{\"text\": \"a red house\", \"pair\": \"and water\"}\n");
  bench.run({"generate", "-m", "run", "-f", "pair.jsonl"});
}

TEST(Classification, OneLabelIsCalibratedAndExplained) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("train.jsonl", colours(60, "label"));
  const auto config =
      config_of(bench, "run", {{"class_weights", "balanced"}, {"label_smoothing", 0.1}},
                {{"stratified", 0.2}}, 20);
  bench.run({"finetune", "-c", config});
  const double temperature = params_of(bench / "run")["temperature"];
  EXPECT_GT(temperature, 0.04);
  const auto table = bench.run({"eval", "-m", "run", "--html", "page.html"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("expected_calibration_error"),
                               HasSubstr("confusion matrix"), HasSubstr("reliability")));
  EXPECT_THAT(slurp(bench / "page.html"),
              AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("shares of each row"),
                    HasSubstr("most frequent class")));
  const json report = json::parse(bench.run({"eval", "-m", "run", "--json"}).out);
  EXPECT_EQ(report["scores"]["total"], 12) << "a fifth of each class";
  EXPECT_EQ(report["results"][0]["tables"][0]["rows"].size(), 2u);
  // What generate says is the softmax at the stored temperature.
  const auto ask = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"generate", "-m", "run", "-p", "a red house", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return json::parse(bench.run(words).out)["scores"]["red"].get<double>();
  };
  const double calibrated = ask({});
  const fs::path stored = fs::canonical(bench / "run/best") / "config.json";
  json raw = json::parse(slurp(stored));
  raw.erase("task_specific_params");
  fs::copy(fs::canonical(bench / "run/best"), bench / "plain");
  bench.write("plain/config.json", raw.dump());
  const double plain = json::parse(
      bench.run({"generate", "-m", "plain", "-p", "a red house", "--json"}).out)["scores"]["red"];
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  EXPECT_NEAR(logit(calibrated) * temperature, logit(plain), 1e-2);
}

TEST(Classification, WhatLongTextsLoseIsToldAndTheModelKnowsIt) {
  Workbench bench;
  bench.train_tokenizer("masked");
  std::string water;
  for (int i = 0; i < 40; ++i) water += "water and ";
  // What decides stands at the end.
  std::string lines = R"({"text": "a house", "label": "other"})"
                      "\n";
  for (int i = 0; i < 15; ++i) {
    for (const bool red : {true, false}) {
      lines +=
          json{{"text", water + (red ? "red" : "blue")}, {"label", red ? "red" : "other"}}.dump() +
          "\n";
    }
  }
  bench.write("train.jsonl", lines);
  const auto train = [&](const std::string& run, const json& task) {
    return bench.run({"finetune", "-c", config_of(bench, run, task, json::object(), 120)}).err;
  };
  const std::string count = "30 of 31 texts have more than 32 tokens and lose their ";
  const auto score = [&](const std::string& run, json task, const std::string& lost) {
    task["data"] = {"train.jsonl"};
    const auto result =
        bench.run({"eval", "-m", run, "--set", "tasks=" + json{task}.dump(), "--json"});
    EXPECT_THAT(result.err, HasSubstr(count + lost));
    return json::parse(result.out)["scores"]["accuracy"].get<double>();
  };
  EXPECT_THAT(train("right", {{"calibrate", false}}),
              HasSubstr(count + "end (task.truncation_side)"));
  EXPECT_LT(score("right", {}, "end"), 60) << "rows that are all alike";
  EXPECT_THAT(train("middle", {{"calibrate", false}, {"truncation_side", "middle"}}),
              HasSubstr(count + "middle (task.truncation_side)"));
  EXPECT_EQ(score("middle", {}, "middle"), 100);
  EXPECT_LT(score("middle", {{"truncation_side", "right"}}, "end"), 60);
  const auto answer = bench.run({"generate", "-m", "middle", "-p", water + "red", "--json", "--set",
                                 "input.sequence_length=32"});
  EXPECT_EQ(json::parse(answer.out)["prediction"], "red");
  EXPECT_THAT(answer.err, HasSubstr("1 of 1 text has more than 32 tokens and loses its middle"));
  EXPECT_THAT(bench.run({"generate", "-m", "middle", "-p", "red"}).err,
              Not(HasSubstr("truncation_side")));
  expect_one_line_error(
      bench.run({"finetune", "-c", "middle.json", "--set", "task.truncation_side=end"}, 78),
      {"task.truncation_side", "right, left, middle"});
}

/// A tokenizer of transformers may say which side is lost, and transformers reads ours.
TEST(Classification, WhatLongTextsLoseMayStandInTheTokenizersFiles) {
  Workbench bench;
  bench.train_tokenizer("masked");
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    std::string text;
    for (int word = 0; word < 40; ++word) text += "water and ";
    lines +=
        json{{"text", text + (i % 2 ? "red" : "blue")}, {"label", i % 2 ? "red" : "other"}}.dump() +
        "\n";
  }
  bench.write("train.jsonl", lines);
  const auto train = [&](const std::string& run, const json& task, int steps) {
    return bench.run({"finetune", "-c", config_of(bench, run, task, json::object(), steps)}).err;
  };
  const auto side = [&](const fs::path& directory) {
    return json::parse(slurp(bench / directory / "tokenizer_config.json"))
        .value("truncation_side", "");
  };
  const std::string lost = "40 of 40 texts have more than 32 tokens and lose their ";
  EXPECT_THAT(train("plain", json::object(), 2), HasSubstr(lost + "end"));
  EXPECT_EQ(side("plain/last"), "");
  EXPECT_THAT(train("told", {{"truncation_side", "left"}}, 2), HasSubstr(lost + "beginning"));
  EXPECT_EQ(side("told/last"), "left");

  json config = json::parse(slurp(bench / "tokenizer-masked/tokenizer_config.json"));
  config["truncation_side"] = "left";
  bench.write("tokenizer-masked/tokenizer_config.json", config.dump());
  EXPECT_THAT(train("foreign", json::object(), 120), HasSubstr(lost + "beginning"));
  EXPECT_EQ(side("foreign/last"), "left");
  const auto scored = bench.run({"eval", "-m", "foreign", "--data", "train.jsonl", "--json"});
  EXPECT_THAT(scored.err, HasSubstr(lost + "beginning"));
  EXPECT_EQ(json::parse(scored.out)["scores"]["accuracy"], 100);
  EXPECT_THAT(train("over", {{"truncation_side", "right"}}, 2), HasSubstr(lost + "end"));
  EXPECT_EQ(side("over/last"), "right");
}

TEST(Classification, SeveralLabelsAndNumbers) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("train.jsonl", colours(60, "labels"));
  bench.run({"finetune", "-c",
             config_of(bench, "several", {{"problem_type", "multi_label_classification"}},
                       {{"stratified", 0.2}}, 40)});
  EXPECT_EQ(params_of(bench / "several")["thresholds"].size(), 2u);
  const json answer =
      json::parse(bench.run({"generate", "-m", "several", "-p", "a red house", "--json"}).out);
  EXPECT_TRUE(answer["prediction"].is_array());
  bench.run(
      {"eval", "-m", "several", "--save-predictions", "p.jsonl", "--fail-under", "micro_f1=50"});

  bench.write("train.jsonl", colours(60, "score"));
  bench.run(
      {"finetune", "-c",
       config_of(bench, "number", {{"problem_type", "regression"}}, {{"stratified", 0.2}}, 40)});
  const auto scores = bench.run({"eval", "-m", "number", "--fail-under", "pearson=0.5"});
  EXPECT_THAT(scores.out, AllOf(HasSubstr("spearman"), HasSubstr("worst errors")));
  const json number =
      json::parse(bench.run({"generate", "-m", "number", "-p", "a red house", "--json"}).out);
  EXPECT_TRUE(number["prediction"].is_number());
}

TEST(Classification, AnAdapterKeepsWhatItsAnswersMean) {
  Workbench bench;
  bench.pretrain("masked", "base", 2);
  bench.write("train.jsonl", colours(40, "labels"));
  bench.write(
      "adapt.json",
      json{
          {"run", {{"dir", "run"}}},
          {"model", {{"init_from", "base"}}},
          {"lora", {{"r", 2}}},
          {"data",
           {{"train", {"train.jsonl"}}, {"valid", {{"stratified", 0.2}}}, {"sequence_length", 32}}},
          {"task",
           {{"type", "sequence_classification"}, {"problem_type", "multi_label_classification"}}},
          {"train", {{"steps", 2}, {"batch_size", 4}}}}
          .dump());
  bench.run({"finetune", "-c", "adapt.json"});
  const json answer =
      json::parse(bench.run({"generate", "-m", "run", "-p", "a red house", "--json"}).out);
  EXPECT_TRUE(answer["prediction"].is_array()) << answer;
  bench.run({"export", "-m", "run", "-o", "merged"});
  const json merged = json::parse(slurp(bench / "merged/config.json"));
  EXPECT_EQ(merged["problem_type"], "multi_label_classification");
  EXPECT_EQ(merged["task_specific_params"]["sequence_classification"]["thresholds"].size(), 2u);
}

}  // namespace
}  // namespace llmctl::test
