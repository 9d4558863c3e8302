// Which checkpoint of a run is its best.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"
#include "toy.h"
#include "train/loop.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

class BestCheckpoint : public QuietRuns {};

/// Each step has its scores and its checkpoint.
void validate_each_step(ToyRun& toy, std::int64_t steps) {
  toy.train.steps = steps;
  toy.validate = true;
  toy.eval.every = 1;
  toy.checkpoint.every = 1;
}

/// A validation with an accuracy and a perplexity that say the opposite of each other.
Scores accuracy_and_perplexity(double accuracy, double perplexity, double loss = 1) {
  return {percent_score("accuracy", accuracy, 10), perplexity_score("perplexity", perplexity, 10),
          loss_score("loss", loss, 10), count_score("total", 10)};
}

TEST_F(BestCheckpoint, KeepsTheBestOfTheScoreAskedFor) {
  const auto train = [&](const std::string& keep_best, const std::string& name) {
    ToyRun toy;
    validate_each_step(toy, 4);
    toy.checkpoint.keep_best = keep_best;
    toy.validator.scripts = {accuracy_and_perplexity(0.2, 5), accuracy_and_perplexity(0.8, 9),
                             accuracy_and_perplexity(0.1, 3), accuracy_and_perplexity(0.4, 8)};
    return toy.run(dir / name);
  };
  const TrainingOutcome accuracy = train("valid/accuracy", "accuracy");
  EXPECT_EQ(accuracy.best_step, 2) << "higher is better";
  EXPECT_DOUBLE_EQ(accuracy.best, 80);
  EXPECT_EQ(accuracy.best_score, "valid/accuracy");
  EXPECT_EQ(accuracy.best_directory.filename(), "step-00000002");
  const TrainingOutcome perplexity = train("valid/perplexity", "perplexity");
  EXPECT_EQ(perplexity.best_step, 3) << "lower is better";
  EXPECT_EQ(perplexity.best, 3);
  EXPECT_EQ(perplexity.best_score, "valid/perplexity");
  EXPECT_EQ(train("", "own").best_score, "valid/loss") << "the run's own";

  const Error missing = error_of([&] { train("valid/f1", "missing"); });
  EXPECT_EQ(missing.code(), ErrorCode::kConfig);
  EXPECT_THAT(missing.what(), HasSubstr("valid/f1"));
  EXPECT_THAT(missing.what(), HasSubstr("valid/accuracy valid/perplexity valid/loss"));
  EXPECT_THAT(error_of([&] { train("valid/total", "total"); }).what(),
              HasSubstr("nothing is better or worse in valid/total"));
  EXPECT_THAT(error_of([&] { train("train/loss", "train"); }).what(), HasSubstr("keep_best"));
}

TEST_F(BestCheckpoint, BetweenEqualScoresTheLossDecidesThenTheLaterStep) {
  ToyRun toy;
  toy.train.steps = 5;
  toy.validate = true;
  toy.eval.every = 1;
  toy.checkpoint.keep_best = "valid/accuracy";
  toy.validator.scripts = {accuracy_and_perplexity(0, 1, 2.45), accuracy_and_perplexity(0, 1, 1.83),
                           accuracy_and_perplexity(0, 1, 1.9), accuracy_and_perplexity(0, 1, 1.83),
                           accuracy_and_perplexity(std::nan(""), 1, 0.1)};
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.best_step, 4);
  EXPECT_EQ(outcome.best_scores.at("loss"), 1.83);
  EXPECT_EQ(outcome.best_directory.filename(), "step-00000004");
}

TEST_F(BestCheckpoint, WhatIsMerelyEqualIsNoProgress) {
  ToyRun toy;
  toy.train.steps = 20;
  toy.train.patience = 2;
  toy.validate = true;
  toy.eval.every = 1;
  toy.checkpoint.keep_best = "valid/accuracy";
  toy.validator.scripts = {accuracy_and_perplexity(0, 1, 3), accuracy_and_perplexity(0, 1, 2),
                           accuracy_and_perplexity(0, 1, 2), accuracy_and_perplexity(0, 1, 2)};
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.stopped, "early stop");
  EXPECT_EQ(outcome.steps, 4) << "a lower loss is progress, the same one is not";
}

TEST_F(BestCheckpoint, AnotherScoreDecidesFromTheResumeOn) {
  const auto part = [&](std::int64_t steps, const std::string& keep_best,
                        std::vector<Scores> scores) {
    ToyRun toy;
    validate_each_step(toy, steps);
    toy.train.patience = 3;
    toy.checkpoint.keep_best = keep_best;
    toy.validator.scripts = std::move(scores);
    return toy.run(run_dir());
  };
  part(3, "valid/accuracy",
       {accuracy_and_perplexity(0.9, 9), accuracy_and_perplexity(0.5, 4),
        accuracy_and_perplexity(0.6, 5)});
  const TrainingOutcome more =
      part(6, "valid/perplexity",
           {accuracy_and_perplexity(0.1, 8), accuracy_and_perplexity(0.1, 7),
            accuracy_and_perplexity(0.1, 6)});
  EXPECT_EQ(more.best_step, 3) << "the newest beats the best by accuracy, whose perplexity is 9";
  EXPECT_EQ(more.best, 5);
  EXPECT_EQ(more.best_directory.filename(), "step-00000003");
  EXPECT_EQ(more.steps, 6) << "patience counts from the change on";
}

TEST_F(BestCheckpoint, WhatIsBestIsScoredAnewWhereValidationScoresSomethingElse) {
  std::int64_t calls = 0;
  at::Tensor weights;
  const auto part = [&](const std::string& name, std::int64_t steps, const std::string& validation,
                        std::vector<double> script) {
    ToyRun toy;
    validate_each_step(toy, steps);
    toy.train.patience = 3;
    toy.validation = validation;
    toy.validator.script = std::move(script);
    TrainingOutcome outcome = toy.run(dir / name);
    calls = toy.validator.calls;
    weights = toy.model.table().detach().cpu().clone();
    return outcome;
  };
  for (const char* name : {"same", "worse", "better", "goes on", "unchanged"})
    part(name, 4, "a", {5, 1, 3, 4});
  EXPECT_EQ(part("same", 4, "a", {}).best_step, 2);
  EXPECT_EQ(calls, 0);

  const TrainingOutcome worse = part("worse", 4, "b", {10, 20});
  EXPECT_EQ(worse.best_step, 2) << "the best by the new scores, too";
  EXPECT_EQ(worse.best, 10);
  EXPECT_EQ(worse.scores.at("loss"), 20);
  EXPECT_EQ(calls, 2) << "the best so far, and where the run stands";
  EXPECT_EQ(part("worse", 4, "b", {}).best, 10);
  EXPECT_EQ(calls, 0) << "told once";

  const TrainingOutcome better = part("better", 4, "b", {30, 20});
  EXPECT_EQ(better.best_step, 4);
  EXPECT_EQ(better.best, 20);

  // What is trained stays as it is, and patience counts from the change on.
  const TrainingOutcome more = part("goes on", 7, "b", {10, 20, 30, 9, 8});
  EXPECT_EQ(more.steps, 7);
  EXPECT_EQ(more.best_step, 7);
  const at::Tensor changed = weights;
  part("unchanged", 7, "a", {0.9, 0.8, 0.7});
  EXPECT_TRUE(changed.equal(weights));
}

TEST_F(BestCheckpoint, WhatIsBestIsScoredAnewWhereTheRunStandsAndByAnotherScore) {
  std::int64_t calls = 0;
  const auto part = [&](const std::string& name, std::int64_t steps, std::int64_t every,
                        const std::string& validation, std::vector<Scores> scores,
                        const std::string& keep_best = "") {
    ToyRun toy;
    toy.train.steps = steps;
    toy.validate = true;
    toy.eval.every = every;
    toy.checkpoint.every = 1;
    toy.checkpoint.keep_best = keep_best;
    toy.validation = validation;
    toy.validator.scripts = std::move(scores);
    const TrainingOutcome outcome = toy.run(dir / name);
    calls = toy.validator.calls;
    return outcome;
  };
  const auto loss = [](double value) { return Scores{loss_score("loss", value, 1)}; };
  // The last step of what is now a longer run: nothing is due there.
  part("longer", 2, 0, "a", {loss(5)});
  const TrainingOutcome longer = part("longer", 4, 0, "b", {loss(1), loss(3)});
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(longer.best_step, 2);
  EXPECT_EQ(longer.best, 1);
  part("longer and worse", 2, 0, "a", {loss(1)});
  EXPECT_EQ(part("longer and worse", 4, 0, "b", {loss(5), loss(3)}).best_step, 4);

  // A score that the validations before did not give.
  part("another", 3, 1, "a", {loss(5), loss(1), loss(3)});
  const TrainingOutcome another =
      part("another", 3, 1, "b", {accuracy_and_perplexity(0.9, 4), accuracy_and_perplexity(0.5, 4)},
           "valid/accuracy");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(another.best_step, 2);
  EXPECT_EQ(another.best, 90);
}

TEST_F(BestCheckpoint, ABestThatIsGoneIsLookedForAnew) {
  ToyRun toy;
  validate_each_step(toy, 4);
  toy.validator.script = {1, 5, 4, 6};
  toy.run(run_dir());
  std::filesystem::remove_all(run_dir() / "checkpoints" / "step-00000001");
  ToyRun again;
  validate_each_step(again, 6);
  again.validator.script = {3, 7};
  const TrainingOutcome outcome = again.run(run_dir());
  EXPECT_EQ(outcome.best_step, 5);
  EXPECT_EQ(outcome.best_directory.filename(), "step-00000005");
}

TEST_F(BestCheckpoint, TheBestIsACheckpointThatWasSaved) {
  ToyRun toy;
  validate_each_step(toy, 4);
  toy.validator.script = {5, 1, 3, 4};
  toy.save_extras = [](const std::filesystem::path& checkpoint) {
    if (checkpoint.string().find("step-00000002") != std::string::npos)
      fail(ErrorCode::kIo, "disk full");
  };
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.best_step, 3) << "step 2 was better, and is lost";
  EXPECT_EQ(outcome.best, 3);
  EXPECT_EQ(outcome.best_directory.filename(), "step-00000003");
}

}  // namespace
}  // namespace llmctl::test
