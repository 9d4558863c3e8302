#include "runs/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "train/checkpoint.h"

namespace llmctl {
namespace {

using Steps = std::vector<std::string>;

/// The scores of a validation of this loss.
Json loss(double value) {
  return {{"loss", {{"value", value}, {"better", "lower"}, {"scale", "from 0"}, {"count", 1}}}};
}

/// A run with checkpoints that were validated at their steps, without their weights.
class ToyRun {
 public:
  ToyRun() { dir_.write("run/run.json", "{}"); }

  void checkpoint(std::int64_t step, const std::string& validation, const Json& scores,
                  std::int64_t best_step, const Json& best_scores, std::int64_t validated_step) {
    const Json state = {{"format", 2},
                        {"step", step},
                        {"best_step", best_step},
                        {"best_score", "loss"},
                        {"validated_step", validated_step},
                        {"validation", validation},
                        {"scores", scores},
                        {"best_scores", best_scores}};
    const auto place = std::filesystem::relative(
        checkpoint_directory(dir_ / "run", step) / "trainer.json", dir_.path());
    dir_.write(place, dump_json(state));
  }

  /// One that is its run's best.
  void best_checkpoint(std::int64_t step, const std::string& validation, double value) {
    checkpoint(step, validation, loss(value), step, loss(value), step);
  }

  /// The steps that are averaged. `said`: what is told meanwhile.
  Steps averaged(std::int64_t count, const std::string& of, std::string* said = nullptr) const {
    ExportOptions options;
    options.model = (dir_ / "run").string();
    options.average = count;
    options.average_of = of;
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    std::vector<std::filesystem::path> chosen;
    try {
      chosen = checkpoints_to_average(options);
    } catch (...) {
      testing::internal::GetCapturedStderr();
      throw;
    }
    const std::string text = testing::internal::GetCapturedStderr();
    if (said != nullptr) *said = text;
    Steps steps;
    for (const auto& directory : chosen) steps.push_back(directory.filename().string());
    return steps;
  }

 private:
  test::TempDir dir_;
};

TEST(Export, TheBestOfARunWhoseValidationStayedTheSame) {
  for (const char* validation : {"", "a"}) {
    ToyRun run;
    run.best_checkpoint(1, validation, 4);
    run.best_checkpoint(2, validation, 2);
    run.checkpoint(3, validation, loss(3), 2, loss(2), 3);
    run.checkpoint(4, validation, loss(3), 2, loss(2), 3);  // without a validation
    std::string said;
    EXPECT_EQ(run.averaged(2, "best", &said), (Steps{"step-00000002", "step-00000003"}));
    EXPECT_EQ(said, "");
    EXPECT_EQ(run.averaged(2, "last"), (Steps{"step-00000003", "step-00000004"}));
    EXPECT_EQ(run.averaged(0, "best"), Steps());
  }
}

TEST(Export, OfTheBestThoseScoredOtherwiseAreLeftOut) {
  for (const char* before : {"", "a"}) {
    ToyRun run;
    run.checkpoint(1, before, loss(0.2), 0, Json::object(), 1);
    run.checkpoint(2, before, loss(0.1), 0, Json::object(), 2);
    run.best_checkpoint(3, "b", 8);
    run.best_checkpoint(4, "b", 7);
    std::string said;
    EXPECT_EQ(run.averaged(2, "best", &said), (Steps{"step-00000003", "step-00000004"}));
    EXPECT_THAT(said, testing::HasSubstr("2 more are left out"));
    EXPECT_THAT(said, testing::HasSubstr("as step-00000004 (data.valid"));
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    test::expect_error(ErrorCode::kUsage,
                       {"2 checkpoints with scores, not 3", "2 more are left out", "data.valid"},
                       [&] { run.averaged(3, "best"); });
    EXPECT_EQ(run.averaged(4, "last").size(), 4U);
  }
}

TEST(Export, ABestCheckpointThatWasScoredAnewCountsByItsNewScore) {
  ToyRun run;
  run.checkpoint(1, "a", loss(0.3), 1, loss(0.3), 1);
  run.best_checkpoint(2, "a", 0.1);
  run.checkpoint(3, "b", loss(6), 2, loss(5), 3);
  run.checkpoint(4, "b", loss(9), 2, loss(5), 4);
  std::string said;
  EXPECT_EQ(run.averaged(2, "best", &said), (Steps{"step-00000002", "step-00000003"}));
  EXPECT_THAT(said, testing::HasSubstr("1 more is left out"));
  // It was the best by other data alone.
  run.checkpoint(3, "b", loss(4), 3, loss(4), 3);
  run.checkpoint(4, "b", loss(3), 4, loss(3), 4);
  EXPECT_EQ(run.averaged(2, "best"), (Steps{"step-00000003", "step-00000004"}));
}

TEST(Export, WhatScoredTheBestOfAnOlderVersionIsNotKnown) {
  ToyRun run;
  run.best_checkpoint(2, "", 0.1);
  run.checkpoint(3, "b", loss(6), 2, loss(0.1), 3);
  run.checkpoint(4, "b", loss(9), 2, loss(0.1), 4);
  EXPECT_EQ(run.averaged(2, "best"), (Steps{"step-00000003", "step-00000004"}));
}

}  // namespace
}  // namespace llmctl
