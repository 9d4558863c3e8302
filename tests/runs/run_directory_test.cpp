#include "runs/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Optim {
  double lr = 0.1;
  std::string type = "adamw";
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("lr", self.lr, "", Change::kOnRequest);
    visit("type", self.type, "");
  }
};

struct Log {
  std::int64_t every = 10;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("every", self.every, "");
  }
};

struct Staged {
  double threshold = 0.9;
  std::optional<std::int64_t> patience;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("threshold", self.threshold, "");
    visit("patience", self.patience, "");
  }
};

/// A small configuration with every grade of change.
struct SmallRun {
  std::optional<Staged> self_training, learning_curve;
  Optim optim;
  Log log;
  std::string cache;
  std::vector<std::string> train;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("self_training", self.self_training, "");
    visit("learning_curve", self.learning_curve, "");
    visit("optim", self.optim, "");
    visit("log", self.log, "", Change::kFree);
    visit("train", self.train, "", PathKey{.or_name = true});
    visit("cache", self.cache, "", PathKey{}, Change::kFree);
  }
};

Json resolve(const JsonDocument& document) {
  Json resolved = resolve_section<SmallRun>(ConfigNode(&document.value, "", &document));
  make_paths_absolute(resolved, describe_config<SmallRun>());
  return resolved;
}

RunPlan plan(const fs::path& directory, const std::string& text, StartOptions options = {}) {
  JsonDocument document{Json::parse(text), {}};
  return plan_run(directory, document, describe_config<SmallRun>(), resolve, options);
}

/// Plans, and makes the directory ready.
RunPlan start(const fs::path& directory, const std::string& text, StartOptions options = {}) {
  const RunPlan found = plan(directory, text, options);
  make_directories(directory);
  open_run(directory, found, options.overwrite);
  return found;
}

/// A whole checkpoint, as far as its manifest tells.
void add_checkpoint(const TempDir& temp, const std::string& run, std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  const std::string directory = run + "/checkpoints/" + name + "/";
  Json manifest = {{"format", 1}, {"files", Json::object()}};
  for (const char* file : {"config.json", "optimizer.safetensors", "trainer.json"}) {
    const auto path = temp.write(directory + file, std::string(file) == "trainer.json"
                                                       ? dump_json(Json{{"step", step}})
                                                       : std::string("{}"));
    manifest["files"][file] = {{"size", fs::file_size(path)}, {"sha256", sha256_file(path)}};
  }
  temp.write(directory + "manifest.json", dump_json(manifest));
}

std::string error_of(const std::function<void()>& work, ErrorCode code) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(RunDirectory, HoldsEveryDefaultAndAbsolutePaths) {
  TempDir temp;
  const RunPlan plan = start(temp / "a/b", R"({"cache": "c"})");
  EXPECT_FALSE(plan.goes_on);
  const Json config = read_run_config(temp / "a/b");
  EXPECT_EQ(config["optim"], Json::parse(R"({"lr": 0.1, "type": "adamw"})"));
  EXPECT_EQ(config["cache"], (fs::current_path() / "c").string());
  EXPECT_FALSE(config.contains(kRunChanges));
}

TEST(RunDirectory, GradesDecideWhatMayChange) {
  TempDir temp;
  start(temp / "run", "{}");
  add_checkpoint(temp, "run", 400);
  EXPECT_TRUE(plan(temp / "run", "{}").goes_on);
  EXPECT_TRUE(plan(temp / "run", R"({"log": {"every": 5}, "cache": "x"})").goes_on) << "free";

  const std::string asked =
      error_of([&] { plan(temp / "run", R"({"optim": {"lr": 0.2}})"); }, ErrorCode::kConfig);
  EXPECT_THAT(asked, HasSubstr("optim.lr (0.1, now 0.2); --change lets it go on"));
  const std::string never =
      error_of([&] { plan(temp / "run", R"({"optim": {"type": "adam"}})", {.change = true}); },
               ErrorCode::kConfig);
  EXPECT_THAT(never, HasSubstr("optim.type (\"adamw\", now \"adam\"), which cannot change"));
  EXPECT_THAT(never, HasSubstr("-o NEW"));
  EXPECT_THAT(
      error_of([&] { plan(temp / "run", "{}", {.resume = false}); }, ErrorCode::kCannotCreate),
      HasSubstr("holds a run"));
}

TEST(RunDirectory, ChangesAreKeptWithTheirSteps) {
  TempDir temp;
  start(temp / "run", "{}");
  add_checkpoint(temp, "run", 400);
  const RunPlan first = start(temp / "run", R"({"optim": {"lr": 0.2}})", {.change = true});
  EXPECT_EQ(first.step, 400);
  EXPECT_EQ(first.record.changes, (std::vector<ConfigChange>{{400, "optim.lr", 0.1, 0.2}}));
  EXPECT_EQ(read_run(temp / "run")->changes, first.record.changes);
  EXPECT_EQ(read_run_config(temp / "run")["optim"]["lr"], 0.2);
  // Without a step between, the second change takes the first one's place.
  const RunPlan again = start(temp / "run", R"({"optim": {"lr": 0.3}})", {.change = true});
  EXPECT_EQ(again.record.changes, (std::vector<ConfigChange>{{400, "optim.lr", 0.1, 0.3}}));
  add_checkpoint(temp, "run", 500);
  const RunPlan back = start(temp / "run", R"({"optim": {"lr": 0.1}})", {.change = true});
  EXPECT_EQ(back.record.changes,
            (std::vector<ConfigChange>{{400, "optim.lr", 0.1, 0.3}, {500, "optim.lr", 0.3, 0.1}}));
  // What was trained since is lost: all of it is done again, with the new value.
  fs::remove_all(temp / "run/checkpoints/step-00000500");
  add_checkpoint(temp, "run", 300);
  fs::remove_all(temp / "run/checkpoints/step-00000400");
  EXPECT_EQ(plan(temp / "run", R"({"optim": {"lr": 0.1}})").record.changes,
            (std::vector<ConfigChange>{}))
      << "from 0.1 to 0.3 and back at one step";
}

TEST(RunDirectory, WhatIsNotGivenStaysAsTheRunHasIt) {
  TempDir temp;
  start(temp / "run", R"({"optim": {"lr": 0.2}, "log": {"every": 7}})");
  add_checkpoint(temp, "run", 10);
  JsonDocument document{Json::parse(R"({"log": {}})"), {}};
  const RunPlan found = plan_run(temp / "run", document, describe_config<SmallRun>(), resolve, {});
  EXPECT_TRUE(found.goes_on);
  EXPECT_EQ(found.record.config["optim"]["lr"], 0.2) << "not today's default";
  EXPECT_EQ(document.value["optim"]["lr"], 0.2);
  EXPECT_EQ(found.kept, std::vector<std::string>{"optim.lr 0.2"});
  EXPECT_EQ(found.record.config["log"]["every"], 10) << "what changes no result is not kept";
}

TEST(RunDirectory, AnOlderRecordWithoutDefaultsGoesOn) {
  TempDir temp;
  temp.write("run/run.json", R"({"optim": {"lr": 0.1}})");
  add_checkpoint(temp, "run", 10);
  EXPECT_TRUE(plan(temp / "run", R"({"optim": {"lr": 0.1, "type": "adamw"}})").goes_on);
}

TEST(RunDirectory, AStartThatTrainedNothingBlocksNothing) {
  TempDir temp;
  start(temp / "run", "{}");
  temp.write("run/log.txt", "data.train: no such file\n");
  const RunPlan other = start(temp / "run", R"({"optim": {"type": "adam"}})");
  EXPECT_FALSE(other.goes_on);
  EXPECT_TRUE(other.record.changes.empty());
  EXPECT_EQ(read_run_config(temp / "run")["optim"]["type"], "adam");
}

TEST(RunDirectory, APlainRunDoesNotTakeTheDirectoryOfAStagedOne) {
  TempDir temp;
  const std::string self_training = R"({"self_training": {}})";
  start(temp / "run", self_training);
  for (const char* other : {"{}", R"({"self_training": null})", R"({"learning_curve": {}})"}) {
    EXPECT_THAT(error_of([&] { plan(temp / "run", other); }, ErrorCode::kCannotCreate),
                HasSubstr("holds a self-training; choose another run.dir, or start anew with "
                          "--overwrite"))
        << other;
  }
  EXPECT_FALSE(plan(temp / "run", self_training).goes_on);
  start(temp / "run", "{}", {.overwrite = true});
  EXPECT_FALSE(read_run_config(temp / "run").contains("self_training"));
  start(temp / "curve", R"({"learning_curve": {}})");
  EXPECT_THAT(error_of([&] { plan(temp / "curve", "{}"); }, ErrorCode::kCannotCreate),
              HasSubstr("holds a learning curve"));
}

/// As the second start of a self-training.
RunPlan plan_staged(const fs::path& directory, JsonDocument& document, bool overwrite = false) {
  return plan_staged_run(directory, "self_training", "self-training", document,
                         describe_config<SmallRun>(), resolve, overwrite);
}

RunPlan plan_staged(const fs::path& directory, const std::string& text, bool overwrite = false) {
  JsonDocument document{Json::parse(text), {}};
  return plan_staged(directory, document, overwrite);
}

TEST(RunDirectory, AStagedRunGoesOnWhateverKeysTheProgramHasGained) {
  TempDir temp;
  // Without optim.type and with null for an absent key, as another version wrote them.
  temp.write("run/run.json", R"({"optim": {"lr": 0.2}, "train": [],
                                 "self_training": {"threshold": 0.8, "patience": null}})");
  JsonDocument document{Json::parse(R"({"self_training": {"threshold": 0.8}})"), {}};
  const RunPlan found = plan_staged(temp / "run", document);
  EXPECT_FALSE(found.goes_on);
  EXPECT_EQ(found.record.config["optim"], Json::parse(R"({"lr": 0.2, "type": "adamw"})"));
  EXPECT_EQ(document.value["optim"]["lr"], 0.2) << "for the trainings that are to come";
  EXPECT_EQ(found.kept, std::vector<std::string>{"optim.lr 0.2"});
  EXPECT_THAT(error_of([&] { plan_staged(temp / "run", R"({"self_training": {"threshold": 1}})"); },
                       ErrorCode::kConfig),
              HasSubstr("its self-training was started with another value of "
                        "self_training.threshold"));
  EXPECT_THAT(
      error_of(
          [&] { plan_staged(temp / "run", R"({"self_training": {}, "optim": {"type": "adam"}})"); },
          ErrorCode::kConfig),
      HasSubstr("another value of optim.type"));
  plan_staged(temp / "run", R"({"self_training": {}, "log": {"every": 3}})");
  plan_staged(temp / "run", R"({"self_training": {"threshold": 1}})", true);

  start(temp / "plain", "{}");
  plan_staged(temp / "plain", R"({"self_training": {}})");
  add_checkpoint(temp, "plain", 10);
  EXPECT_THAT(error_of([&] { plan_staged(temp / "plain", R"({"self_training": {}})"); },
                       ErrorCode::kCannotCreate),
              HasSubstr("holds a run without self-training"));
}

TEST(RunDirectory, OverwriteRemovesTheRunAndNothingElse) {
  TempDir temp;
  start(temp / "run", "{}");
  temp.write("run/metrics.jsonl", "{}\n");
  add_checkpoint(temp, "run", 10);
  EXPECT_FALSE(start(temp / "run", R"({"optim": {"type": "adam"}})", {.overwrite = true}).goes_on);
  EXPECT_FALSE(fs::exists(temp / "run/metrics.jsonl"));
  EXPECT_FALSE(fs::exists(temp / "run/checkpoints"));
  EXPECT_EQ(read_run_config(temp / "run")["optim"]["type"], "adam");
  EXPECT_FALSE(fs::exists(temp / "run/.overwriting"));

  temp.write("mine/notes.txt", "mine");
  EXPECT_THAT(
      error_of([&] { start(temp / "mine", "{}", {.overwrite = true}); }, ErrorCode::kCannotCreate),
      HasSubstr("holds notes.txt but no run.json"));
  EXPECT_EQ(test::slurp(temp / "mine/notes.txt"), "mine");
}

TEST(RunDirectory, OverwriteIsRefusedWhereItWouldRemoveAnInput) {
  TempDir temp;
  start(temp / "run", "{}");
  add_checkpoint(temp, "run", 10);
  temp.write("run/my/data.txt", "mine");
  temp.write("runs.txt", "another name that begins alike");
  fs::create_directory_symlink("checkpoints/step-00000010", temp / "run/best");
  fs::create_directory_symlink(temp / "run", temp / "link");
  const auto begin_with = [&](const fs::path& input) {
    const Json document = {{"train", {(temp / "runs.txt").string(), input.string()}}};
    start(temp / "run", document.dump(), {.overwrite = true});
  };
  for (const char* input : {"run", "run/", "run/best", "run/checkpoints/step-00000010", "link/best",
                            "run/../run", "run/taught/round-1.jsonl"}) {
    EXPECT_THAT(error_of([&] { begin_with(temp / input); }, ErrorCode::kCannotCreate),
                AllOf(HasSubstr("--overwrite would remove train"), HasSubstr("-o NEW")))
        << input;
  }
  EXPECT_TRUE(fs::exists(temp / "run/checkpoints/step-00000010"));
  begin_with("org/name");
  begin_with(temp / "run/my/data.txt");
  EXPECT_FALSE(fs::exists(temp / "run/checkpoints"));
  EXPECT_EQ(test::slurp(temp / "run/my/data.txt"), "mine");
}

TEST(RunDirectory, TheNextStartFinishesAnOverwritingThatWasKilled) {
  for (const bool run_json_is_there : {true, false}) {
    TempDir temp;
    start(temp / "run", "{}");
    add_checkpoint(temp, "run", 10);
    temp.write("run/metrics.jsonl", "{}\n");
    temp.write("run/.overwriting", "");
    if (!run_json_is_there) fs::remove(temp / "run/run.json");
    EXPECT_FALSE(start(temp / "run", R"({"optim": {"type": "adam"}})").goes_on);
    EXPECT_FALSE(fs::exists(temp / "run/checkpoints"));
    EXPECT_FALSE(fs::exists(temp / "run/metrics.jsonl"));
    EXPECT_FALSE(fs::exists(temp / "run/.overwriting"));
  }
}

TEST(RunDirectory, PlanningChangesNothing) {
  TempDir temp;
  EXPECT_FALSE(plan(temp / "absent", "{}").goes_on);
  EXPECT_FALSE(fs::exists(temp / "absent"));
  temp.write("file", "x");
  error_of([&] { plan(temp / "file", "{}"); }, ErrorCode::kCannotCreate);
  error_of([&] { plan(temp / "file/below", "{}"); }, ErrorCode::kCannotCreate);
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
