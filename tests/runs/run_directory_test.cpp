#include "runs/run_directory.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;

ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

const Json kConfig =
    Json::parse(R"({"run": {"dir": "x", "seed": 1}, "optim": {"lr": 0.1}, "log": {"every": 10}})");

Json with(const char* section, const char* key, const Json& value) {
  Json config = kConfig;
  config[section][key] = value;
  return config;
}

TEST(DifferingKeys, NamesLeavesInBothDirections) {
  const Json a = Json::parse(R"({"a": {"b": 1, "c": 2}, "only": [1]})");
  const Json b = Json::parse(R"({"a": {"b": 1, "c": 3, "d": 4}})");
  EXPECT_EQ(differing_keys(a, b), (std::vector<std::string>{"a.c", "a.d", "only"}));
  EXPECT_TRUE(differing_keys(a, a).empty());
}

TEST(MayChangeOnResume, WhatChangesNoResult) {
  for (const char* key : {"log", "log.every", "eval.every", "checkpoint.keep_last", "train.device",
                          "run.dir", "data.cache"}) {
    EXPECT_TRUE(may_change_on_resume(key)) << key;
  }
  for (const char* key : {"optim.lr", "train.steps", "train.precision", "run.seed", "data.train",
                          "model.hidden_size", "logs"}) {
    EXPECT_FALSE(may_change_on_resume(key)) << key;
  }
}

TEST(PrepareRunDirectory, StartsInAnEmptyOneAndGoesOnWithItsOwn) {
  TempDir temp;
  const auto directory = temp / "a/b";
  EXPECT_FALSE(prepare_run_directory(directory, kConfig, "auto", false));
  EXPECT_EQ(read_run_config(directory), kConfig);
  EXPECT_TRUE(prepare_run_directory(directory, kConfig, "auto", false));
  EXPECT_TRUE(prepare_run_directory(directory, with("log", "every", 5), "auto", false));
}

TEST(PrepareRunDirectory, RefusesOtherConfigurationsNamingTheKeys) {
  TempDir temp;
  prepare_run_directory(temp / "run", kConfig, "auto", false);
  try {
    prepare_run_directory(temp / "run", with("optim", "lr", 0.2), "auto", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConfig);
    EXPECT_NE(std::string(error.what()).find("optim.lr"), std::string::npos) << error.what();
  }
  EXPECT_EQ(code_of([&] { prepare_run_directory(temp / "run", kConfig, "never", false); }),
            ErrorCode::kCannotCreate);
}

TEST(PrepareRunDirectory, OverwriteRemovesTheRunAndNothingElse) {
  TempDir temp;
  prepare_run_directory(temp / "run", kConfig, "auto", false);
  temp.write("run/metrics.jsonl", "{}\n");
  temp.write("run/checkpoints/step-00000001/config.json", "{}");
  EXPECT_FALSE(prepare_run_directory(temp / "run", with("optim", "lr", 0.2), "auto", true));
  EXPECT_FALSE(fs::exists(temp / "run/metrics.jsonl"));
  EXPECT_FALSE(fs::exists(temp / "run/checkpoints"));
  EXPECT_EQ(read_run_config(temp / "run")["optim"]["lr"], 0.2);

  temp.write("mine/notes.txt", "mine");
  EXPECT_EQ(code_of([&] { prepare_run_directory(temp / "mine", kConfig, "auto", true); }),
            ErrorCode::kCannotCreate);
  EXPECT_EQ(test::slurp(temp / "mine/notes.txt"), "mine");
}

TEST(PrepareRunDirectory, RefusesAFile) {
  TempDir temp;
  temp.write("file", "x");
  EXPECT_EQ(code_of([&] { prepare_run_directory(temp / "file", kConfig, "auto", false); }),
            ErrorCode::kCannotCreate);
}

TEST(Environment, KeepsTheEarlierParts) {
  TempDir temp;
  write_environment(temp.path(), {{"precision", "bf16"}});
  write_environment(temp.path(), {{"precision", "fp32"}});
  write_environment(temp.path(), {{"precision", "bf16"}});
  EXPECT_EQ(read_environment(temp.path(), "precision"), "bf16");
  EXPECT_EQ(read_environment(temp.path(), "earlier").size(), 2u);
  EXPECT_TRUE(read_environment(temp.path(), "absent").is_null());
  EXPECT_TRUE(read_environment(temp / "nowhere", "precision").is_null());
}

}  // namespace
}  // namespace llmctl
