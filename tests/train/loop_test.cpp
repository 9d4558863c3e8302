#include "train/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <thread>

#include "base/hash.h"
#include "support/expect_error.h"
#include "toy.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Loop : public QuietRuns {};

std::vector<std::int64_t> steps_of(const std::vector<Json>& records, const std::string& split) {
  std::vector<std::int64_t> steps;
  for (const Json& record : records) {
    if (record["split"] == split) steps.push_back(record["step"].get<std::int64_t>());
  }
  return steps;
}

std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& run) {
  std::vector<std::int64_t> steps;
  for (const auto& [step, directory] : list_checkpoints(run)) steps.push_back(step);
  return steps;
}

TEST_F(Loop, LearnsAndWritesItsRecords) {
  ToyRun toy;
  toy.train.steps = 200;
  toy.log.every = 50;
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.steps, 200);
  EXPECT_EQ(outcome.tokens, 200 * 64);
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.stopped, "");
  EXPECT_EQ(outcome.best_step, 0);
  EXPECT_EQ(outcome.last_directory, run_dir() / "checkpoints" / "step-00000200");
  EXPECT_GT(outcome.seconds, 0);

  const std::vector<Json> lines = records(run_dir());
  EXPECT_EQ(steps_of(lines, "train"), (std::vector<std::int64_t>{50, 100, 150, 200}));
  for (const char* key : {"time", "step", "epoch", "loss", "accuracy", "lr", "grad_norm", "tokens",
                          "tokens_per_second", "seconds"}) {
    EXPECT_TRUE(lines[0].contains(key)) << key;
  }
  EXPECT_DOUBLE_EQ(lines[0]["epoch"].get<double>(), 5.0);
  EXPECT_LT(lines[3]["loss"].get<double>(), 1.4);
  EXPECT_GT(lines[0]["loss"].get<double>(), lines[3]["loss"].get<double>());
  EXPECT_GT(lines[3]["accuracy"].get<double>(), 0.7);
  EXPECT_FALSE(std::filesystem::exists(run_dir() / "lock"));
}

TEST_F(Loop, RecordsTheMeanOverTheTokensSinceTheLastRecord) {
  ToyRun toy;
  toy.optim.lr = 0;  // the table stays at zero: every loss is ln(vocabulary)
  toy.run(run_dir());
  const std::vector<Json> lines = records(run_dir());
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_NEAR(lines[0]["loss"].get<double>(), std::log(kToyVocab), 1e-6);
  EXPECT_EQ(lines[0]["tokens"].get<double>(), 3 * 64);
}

TEST_F(Loop, FollowsTheSchedule) {
  ToyRun toy;
  toy.log.every = 1;
  toy.run(run_dir());
  const std::vector<Json> lines = records(run_dir());
  ASSERT_EQ(lines.size(), 12u);
  for (std::int64_t step = 0; step < 12; ++step) {
    EXPECT_DOUBLE_EQ(lines[static_cast<std::size_t>(step)]["lr"].get<double>(),
                     learning_rate(toy.optim, step, 12));
  }
}

TEST_F(Loop, CountsEpochs) {
  ToyRun toy;
  toy.train.steps.reset();
  toy.train.epochs = 3;
  toy.source.epoch_steps = 5;
  toy.validate = true;
  toy.log.every = 100;
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.steps, 15);
  const std::vector<Json> lines = records(run_dir());
  EXPECT_EQ(steps_of(lines, "epoch"), (std::vector<std::int64_t>{5, 10, 15}));
  EXPECT_EQ(steps_of(lines, "valid"), (std::vector<std::int64_t>{5, 10, 15}));
  EXPECT_EQ(steps_of(lines, "train"), (std::vector<std::int64_t>{15}));
  for (const Json& line : lines) {
    if (line["split"] != "epoch") continue;
    EXPECT_EQ(line["tokens"].get<double>(), line["step"].get<double>() * 64);
    EXPECT_DOUBLE_EQ(line["epoch"].get<double>(), line["step"].get<double>() / 5);
  }
}

at::Tensor trained_table(ToyRun& toy, const std::filesystem::path& directory) {
  toy.run(directory);
  return toy.model.table().detach().clone();
}

TEST_F(Loop, AccumulationEqualsOneBigBatch) {
  ToyRun big, small;
  small.source.micro = small.train.micro_batch_size = 2;
  const at::Tensor expected = trained_table(big, dir / "big");
  const at::Tensor actual = trained_table(small, dir / "small");
  EXPECT_EQ(big.loss.forwards, 12);
  EXPECT_EQ(small.loss.forwards, 48);
  EXPECT_TRUE(actual.allclose(expected, 1e-4, 1e-5));
  const Json one = records(dir / "big").back(), four = records(dir / "small").back();
  EXPECT_NEAR(one["loss"].get<double>(), four["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(one["grad_norm"].get<double>(), four["grad_norm"].get<double>(), 1e-5);
}

TEST_F(Loop, EachMicroBatchHasItsOwnDropoutSeed) {
  ToyRun toy;
  toy.source.micro = toy.train.micro_batch_size = 4;
  toy.run(run_dir());
  std::set<std::uint64_t> seeds(toy.loss.seeds.begin(), toy.loss.seeds.end());
  EXPECT_EQ(seeds.size(), 24u);
}

/// Ranks as threads of this process.
class ThreadWorld : public World {
 public:
  struct Shared {
    explicit Shared(int ranks) : size(ranks), all(ranks) {}
    int size;
    std::barrier<> all;
    std::mutex mutex;
    std::vector<double> values;
    at::Tensor tensor;
  };
  ThreadWorld(Shared& shared, int rank) : shared_(shared), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return shared_.size; }
  void sum(std::span<double> values) override {
    combine(values, [](double a, double b) { return a + b; });
  }
  void max(std::span<double> values) override {
    combine(values, [](double a, double b) { return std::max(a, b); });
  }
  void broadcast(std::span<double> values) override {
    if (rank_ == 0) shared_.values.assign(values.begin(), values.end());
    shared_.all.arrive_and_wait();
    std::copy(shared_.values.begin(), shared_.values.end(), values.begin());
    shared_.all.arrive_and_wait();
  }
  void barrier() override { shared_.all.arrive_and_wait(); }
  void reduce(at::Tensor tensor) {
    for (int turn = 0; turn < size(); ++turn) {
      if (turn == rank_) shared_.tensor = turn == 0 ? tensor.clone() : shared_.tensor.add(tensor);
      barrier();
    }
    tensor.copy_(shared_.tensor);
    barrier();
  }

 private:
  template <class Operation>
  void combine(std::span<double> values, Operation operation) {
    for (int turn = 0; turn < size(); ++turn) {
      if (turn == rank_) {
        if (turn == 0) shared_.values.assign(values.begin(), values.end());
        for (std::size_t i = 0; turn > 0 && i < values.size(); ++i) {
          shared_.values[i] = operation(shared_.values[i], values[i]);
        }
      }
      barrier();
    }
    std::copy(shared_.values.begin(), shared_.values.end(), values.begin());
    barrier();
  }
  Shared& shared_;
  int rank_;
};

TEST_F(Loop, TwoRanksEqualOne) {
  ToyRun one;
  one.source.micro = one.train.micro_batch_size = 4;
  const at::Tensor expected = trained_table(one, dir / "one");

  ThreadWorld::Shared shared(2);
  std::vector<TrainingOutcome> outcomes(2);
  std::vector<at::Tensor> tables(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      ToyRun toy;
      auto world = std::make_unique<ThreadWorld>(shared, rank);
      toy.reduce_gradients = [&](const NamedTensors& parameters) {
        for (const auto& [name, tensor] : parameters) {
          static_cast<ThreadWorld&>(*toy.world).reduce(tensor.grad());
        }
      };
      toy.world = std::move(world);
      toy.validate = true;
      toy.source.micro = toy.train.micro_batch_size = 4;
      toy.source.rank = rank;
      toy.source.world = 2;
      outcomes[static_cast<std::size_t>(rank)] = toy.run(dir / "two");
      tables[static_cast<std::size_t>(rank)] = toy.model.table().detach().clone();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(tables[0].equal(tables[1]));
  EXPECT_TRUE(tables[0].allclose(expected, 1e-4, 1e-5));
  EXPECT_EQ(outcomes[0].tokens, 12 * 64);
  EXPECT_EQ(outcomes[1].best_step, outcomes[0].best_step);
  EXPECT_EQ(steps_of(records(dir / "two"), "train"), (std::vector<std::int64_t>{3, 6, 9, 12}));
}

TEST_F(Loop, KeepsTheBestAndTheNewest) {
  ToyRun toy;
  toy.train.steps = 10;
  toy.validate = true;
  toy.eval.every = 1;
  toy.checkpoint.every = 1;
  toy.checkpoint.keep_last = 2;
  toy.validator.script = {5, 4, 3, 6, 7, 8, 9, 9, 9, 9};
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.best_step, 3);
  EXPECT_EQ(outcome.best, 3);
  EXPECT_EQ(outcome.best_scores.at("loss"), 3);
  EXPECT_EQ(outcome.scores.at("loss"), 9);
  EXPECT_EQ(outcome.best_directory, run_dir() / "checkpoints" / "step-00000003");
  EXPECT_EQ(checkpoint_steps(run_dir()), (std::vector<std::int64_t>{3, 9, 10}));
  EXPECT_EQ(std::filesystem::read_symlink(run_dir() / "best"), "checkpoints/step-00000003");
  EXPECT_EQ(std::filesystem::read_symlink(run_dir() / "last"), "checkpoints/step-00000010");
}

TEST_F(Loop, SavesOnlyBetterScoresAndTheEndWithoutAnInterval) {
  ToyRun toy;
  toy.train.steps = 6;
  toy.validate = true;
  toy.eval.every = 1;
  toy.checkpoint.every = 0;
  toy.checkpoint.keep_last = 100;
  toy.validator.script = {5, 6, 4, 6, std::nan(""), 7};
  toy.run(run_dir());
  EXPECT_EQ(checkpoint_steps(run_dir()), (std::vector<std::int64_t>{1, 3, 6}));
}

TEST_F(Loop, StopsEarly) {
  ToyRun toy;
  toy.train.steps = 100;
  toy.train.patience = 3;
  toy.validate = true;
  toy.eval.every = 2;
  toy.validator.script = {5, 4, 6, 6, 6};
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.stopped, "early stop");
  EXPECT_EQ(outcome.steps, 10);
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.best_step, 4);
  // Asked again, it has nothing to do.
  ToyRun again;
  again.train = toy.train;
  again.eval = toy.eval;
  again.validate = true;
  const TrainingOutcome same = again.run(run_dir());
  EXPECT_EQ(same.stopped, "early stop");
  EXPECT_EQ(same.steps, 10);
  EXPECT_EQ(same.best, 4);
  EXPECT_EQ(again.loss.forwards, 0);
  EXPECT_EQ(again.validator.calls, 0);
}

TEST_F(Loop, ValidatesAtTheEnd) {
  ToyRun toy;
  toy.validate = true;
  toy.eval.every = 5;
  toy.run(dir / "a");
  EXPECT_EQ(steps_of(records(dir / "a"), "valid"), (std::vector<std::int64_t>{5, 10, 12}));
  ToyRun other;
  other.validate = true;
  other.eval.at_end = false;
  other.run(dir / "b");
  EXPECT_THAT(steps_of(records(dir / "b"), "valid"), IsEmpty());
}

TEST_F(Loop, LeavesOutStepsThatAreNotFinite) {
  ToyRun toy;
  toy.log.every = 1;
  toy.loss.factor_of_forward = {{3, std::nan("")}, {4, std::numeric_limits<double>::infinity()}};
  const TrainingOutcome outcome = toy.run(run_dir());
  EXPECT_EQ(outcome.skipped, 2);
  EXPECT_EQ(outcome.steps, 12);
  EXPECT_TRUE(toy.model.table().isfinite().all().item<bool>());
  const std::vector<Json> lines = records(run_dir());
  EXPECT_TRUE(lines[2]["loss"].is_null());
  EXPECT_EQ(lines[2]["skipped"], 1);
  EXPECT_EQ(lines[2]["non_finite"], Json::parse(R"(["loss", "grad_norm"])"));
  EXPECT_TRUE(lines[4]["loss"].is_number());
  EXPECT_FALSE(lines[4].contains("skipped"));
}

TEST_F(Loop, ClipsAHugeGradient) {
  ToyRun toy;
  toy.log.every = 1;
  toy.loss.factor_of_forward = {{2, 1e30}};
  const at::Tensor table = trained_table(toy, dir / "huge");
  EXPECT_TRUE(table.isfinite().all().item<bool>());
  const std::vector<Json> lines = records(dir / "huge");
  EXPECT_GT(lines[1]["grad_norm"].get<double>(), 1e28);  // as it was before clipping
  EXPECT_FALSE(lines[1].contains("skipped"));
}

TEST_F(Loop, GivesUpAfterManyStepsThatAreNotFinite) {
  ToyRun toy;
  toy.train.max_skipped = 3;
  for (int forward = 6; forward < 20; ++forward) toy.loss.factor_of_forward[forward] = std::nan("");
  const Error error = error_of([&] { toy.run(run_dir()); });
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("steps 6 to 8"));
  EXPECT_THAT(error.what(), HasSubstr("step-00000004"));
  EXPECT_EQ(checkpoint_steps(run_dir()), (std::vector<std::int64_t>{4}));
}

TEST_F(Loop, PassesOnWhatTheSourceThrows) {
  ToyRun toy;
  toy.source.broken_step = 5;
  const Error error = error_of([&] { toy.run(run_dir()); });
  EXPECT_EQ(error.code(), ErrorCode::kData);
  EXPECT_THAT(error.what(), HasSubstr("step 5"));
}

TEST_F(Loop, RefusesWhatDoesNotFit) {
  ToyRun toy;
  toy.train.epochs = 2;
  EXPECT_THAT(error_of([&] { toy.run(run_dir()); }).what(), HasSubstr("exactly one"));
  ToyRun patient;
  patient.train.patience = 2;
  EXPECT_THAT(error_of([&] { patient.run(run_dir()); }).what(), HasSubstr("train.patience"));
  ToyRun uneven;
  uneven.train.micro_batch_size = 3;
  EXPECT_THAT(error_of([&] { uneven.run(run_dir()); }).what(), HasSubstr("multiple of 3"));
  const auto file = dir.write("file", "x");
  ToyRun blocked;
  EXPECT_EQ(error_of([&] { blocked.run(file); }).code(), ErrorCode::kCannotCreate);
  EXPECT_EQ(error_of([&] { blocked.run(file / "below"); }).code(), ErrorCode::kCannotCreate);
  ToyRun fresh;
  fresh.run(run_dir());
  fresh.resume = false;
  const Error there = error_of([&] { fresh.run(run_dir()); });
  EXPECT_EQ(there.code(), ErrorCode::kCannotCreate);
  EXPECT_THAT(there.what(), HasSubstr("holds checkpoints already"));
}

TEST_F(Loop, RefusesToResumeAnotherRun) {
  ToyRun toy;
  toy.run(run_dir());
  ToyRun data;
  data.source.name = "other rows";
  const Error source = error_of([&] { data.run(run_dir()); });
  EXPECT_EQ(source.code(), ErrorCode::kConfig);
  EXPECT_THAT(source.what(), HasSubstr("other training data, or with another tokenizer"));
  data.source_changed = true;  // weights may differ, the content may not
  EXPECT_EQ(error_of([&] { data.run(run_dir()); }).code(), ErrorCode::kConfig);
}

TEST_F(Loop, ExtendedItEqualsTheLongerRun) {
  const auto train = [&](const std::string& name, std::int64_t steps) {
    ToyRun toy;
    toy.optim.schedule = "constant";
    toy.train.steps = steps;
    toy.run(dir / name);
    return toy.model.table().detach().clone();
  };
  const at::Tensor whole = train("whole", 24);
  train("extended", 12);
  EXPECT_TRUE(train("extended", 24).equal(whole));
  EXPECT_EQ(timeless_records(dir / "extended"), timeless_records(dir / "whole"));
}

TEST_F(Loop, WithoutAWholeCheckpointNothingIsRemoved) {
  ToyRun toy;
  toy.run(run_dir());
  std::size_t damaged = 0;
  for (const auto& [step, checkpoint] : list_checkpoints(run_dir())) {
    write_file(checkpoint / "trainer.json", "{}");
    ++damaged;
  }
  ASSERT_GT(damaged, 0u);
  const Error error = error_of([&] { ToyRun().run(run_dir()); });
  EXPECT_EQ(error.code(), ErrorCode::kData);
  EXPECT_THAT(error.what(), HasSubstr("checkpoints is whole"));
  EXPECT_EQ(list_checkpoints(run_dir()).size(), damaged);
}

}  // namespace
}  // namespace llmctl::test
