// A run that is killed, interrupted, or loses its disk, and goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/files.h"
#include "base/hash.h"
#include "base/signals.h"
#include "support/child.h"
#include "toy.h"
#include "train/run_lock.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

/// Everything that could go wrong on a resume is switched on: accumulation, noise drawn from
/// dropout seeds, skipped steps, validation with a best checkpoint, epochs, records between
/// checkpoints.
int train_fully(const std::filesystem::path& run, const std::function<void(ToyRun&)>& change = {}) {
  ToyRun toy;
  toy.train.steps.reset();
  toy.train.epochs = 3;
  toy.source.epoch_steps = 5;
  toy.source.micro = toy.train.micro_batch_size = 4;
  toy.loss.noise = true;
  toy.log.every = 2;
  toy.eval.every = 4;
  toy.checkpoint.every = 3;
  toy.validate = toy.validator.fits = true;
  if (change) change(toy);
  return toy.run(run).exit_status;
}

std::string final_weights(const std::filesystem::path& run) {
  return sha256_file(run / "checkpoints" / "step-00000015" / "model.safetensors");
}

class Resume : public ::testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    set_log_level(LogLevel::kOff);
    if (ToyRun::test_device().is_cuda()) GTEST_SKIP() << "a CUDA process cannot be forked";
    ASSERT_EQ(in_child([&] { return train_fully(straight()); }), 0);
    weights_ = final_weights(straight());
    records_ = timeless_records(straight());
  }
  std::filesystem::path straight() const { return dir / "straight"; }

  void expect_same_as_straight(const std::filesystem::path& run) {
    EXPECT_EQ(final_weights(run), weights_);
    EXPECT_EQ(timeless_records(run), records_);
    EXPECT_EQ(std::filesystem::read_symlink(run / "last"), "checkpoints/step-00000015");
    EXPECT_EQ(std::filesystem::read_symlink(run / "best"),
              std::filesystem::read_symlink(straight() / "best"));
    for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints")) {
      const std::string name = entry.path().filename().string();
      EXPECT_THAT(name, ::testing::StartsWith("step-"));
      // What validation has fitted is there, too.
      const auto same = straight() / "checkpoints" / name / "config.json";
      if (std::filesystem::exists(same)) {
        EXPECT_EQ(slurp(entry.path() / "config.json"), slurp(same));
      }
    }
    EXPECT_FALSE(std::filesystem::exists(run / "lock"));
  }

  TempDir dir;
  std::string weights_;
  std::vector<Json> records_;
};

/// Kills the run at every n-th passage of a point, SQLite's way: until one run completes.
void kill_everywhere(const char* point, int stride, const std::filesystem::path& directory,
                     const std::function<void(const std::filesystem::path&)>& check) {
  int kills = 0;
  for (int n = 1;; n += stride) {
    const std::filesystem::path run = directory / (std::string(point) + std::to_string(n));
    const int status = in_child([&] {
      setenv("LLMCTL_FAULT", (std::string(point) + ":" + std::to_string(n)).c_str(), 1);
      return train_fully(run);
    });
    if (status == 0) break;
    ASSERT_EQ(status, 1000 + SIGKILL) << point << ":" << n;
    ASSERT_EQ(in_child([&] { return train_fully(run); }), 0) << point << ":" << n;
    SCOPED_TRACE(std::string(point) + ":" + std::to_string(n));
    check(run);
    std::filesystem::remove_all(run);
    ++kills;
  }
  EXPECT_GT(kills, 5);
}

TEST_F(Resume, EqualsAnUninterruptedRunWhereverItIsKilled) {
  const auto check = [&](const std::filesystem::path& run) { expect_same_as_straight(run); };
  kill_everywhere("step", 1, dir.path(), check);
  kill_everywhere("rename", 3, dir.path(), check);
  kill_everywhere("write", 4, dir.path(), check);
  kill_everywhere("fsync", 7, dir.path(), check);
}

TEST_F(Resume, EqualsAnUninterruptedRunWhenKilledOverAndOver) {
  const auto run = dir / "often";
  int status = 1000 + SIGKILL;
  int kills = 0;
  for (; status == 1000 + SIGKILL && kills < 20; ++kills) {
    status = in_child([&] {
      setenv("LLMCTL_FAULT", "step:4", 1);
      return train_fully(run);
    });
  }
  ASSERT_EQ(status, 0);
  EXPECT_GT(kills, 3);
  expect_same_as_straight(run);
}

TEST_F(Resume, AnAverageOfTheWeightsGoesOnToo) {
  const auto with_ema = [](ToyRun& toy) { toy.optim.ema = 0.8; };
  const auto whole = dir / "whole", cut = dir / "cut";
  ASSERT_EQ(in_child([&] { return train_fully(whole, with_ema); }), 0);
  EXPECT_NE(final_weights(whole), weights_) << "the model of a checkpoint is the average";
  EXPECT_NE(timeless_records(whole), records_) << "and so is the one that is validated";
  for (int n = 2; n <= 14; n += 4) {
    EXPECT_EQ(in_child([&] {
                setenv("LLMCTL_FAULT", concat("step:", n).c_str(), 1);
                return train_fully(cut, with_ema);
              }),
              1000 + SIGKILL);
    ASSERT_EQ(in_child([&] { return train_fully(cut, with_ema); }), 0);
    EXPECT_EQ(final_weights(cut), final_weights(whole));
    EXPECT_EQ(timeless_records(cut), timeless_records(whole));
    std::filesystem::remove_all(cut);
  }
}

TEST_F(Resume, ASignalFinishesTheStepAndSaves) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto run = dir / ("signal" + std::to_string(signal));
    const int status = in_child([&] {
      install_signal_handlers();
      // Step 4 is due for validation, which is made up for after the resume.
      return train_fully(run, [&](ToyRun& toy) { toy.loss.signal_at_forward = {{7, signal}}; });
    });
    EXPECT_EQ(status, 128 + signal);
    EXPECT_TRUE(std::filesystem::exists(run / "checkpoints" / "step-00000004"));
    ASSERT_EQ(in_child([&] { return train_fully(run); }), 0);
    expect_same_as_straight(run);
  }
}

TEST_F(Resume, MakesUpForTheLastValidation) {
  const auto run = dir / "end";
  const int status = in_child([&] {
    install_signal_handlers();
    return train_fully(run, [](ToyRun& toy) { toy.loss.signal_at_forward = {{30, SIGTERM}}; });
  });
  EXPECT_EQ(status, 143);  // in the last step
  ASSERT_EQ(in_child([&] { return train_fully(run); }), 0);
  expect_same_as_straight(run);
}

/// A byte changed, a file cut, emptied or gone: the newest checkpoint is passed over.
TEST_F(Resume, FallsBackFromADamagedCheckpoint) {
  const auto newest = [](const std::filesystem::path& run) {
    return run / "checkpoints" / "step-00000009";
  };
  const std::vector<std::string> files = {"model.safetensors", "optimizer.safetensors",
                                          "trainer.json", "manifest.json", "config.json"};
  const auto stop_at_9 = [](ToyRun& toy) { toy.loss.signal_at_forward = {{18, SIGTERM}}; };
  const auto template_run = dir / "template";
  ASSERT_EQ(in_child([&] {
              install_signal_handlers();
              return train_fully(template_run, stop_at_9);
            }),
            143);
  for (const std::string& file : files) {
    for (const std::string how : {"flip", "cut", "empty", "remove"}) {
      SCOPED_TRACE(how + " " + file);
      const auto run = dir / "damaged";
      std::filesystem::copy(
          template_run, run,
          std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
      const auto path = newest(run) / file;
      ASSERT_TRUE(std::filesystem::exists(path));
      std::string content = slurp(path);
      if (how == "flip") content[content.size() / 2] ^= 4;
      if (how == "cut") content.resize(content.size() - 2);
      if (how == "empty") content.clear();
      if (how == "remove") {
        std::filesystem::remove(path);
      } else {
        std::ofstream(path, std::ios::binary) << content;
      }
      const auto good = find_good_checkpoint(run);
      ASSERT_TRUE(good.has_value());
      EXPECT_EQ(good->filename(), "step-00000008");
      ASSERT_EQ(in_child([&] { return train_fully(run); }), 0);
      expect_same_as_straight(run);
      std::filesystem::remove_all(run);
    }
  }
}

TEST_F(Resume, LinksAreHintsOnly) {
  const auto run = dir / "links";
  ASSERT_EQ(
      in_child([&] {
        install_signal_handlers();
        return train_fully(run, [](ToyRun& toy) { toy.loss.signal_at_forward = {{18, SIGTERM}}; });
      }),
      143);
  std::filesystem::remove(run / "last");
  std::filesystem::remove(run / "best");
  std::filesystem::create_symlink("checkpoints/step-77777777", run / "best");
  ASSERT_EQ(in_child([&] { return train_fully(run); }), 0);
  expect_same_as_straight(run);
}

TEST_F(Resume, RemovesWhatDeadWritersLeft) {
  const auto run = dir / "dirty";
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  // A process that has ended: its id belongs to nobody.
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  const std::string suffix = concat(".tmp.", host, ".", dead);
  std::filesystem::create_directories(run / "checkpoints" / ("step-00000003" + suffix));
  std::filesystem::create_directories(run / "checkpoints" / ".trash-step-00000001");
  ASSERT_EQ(in_child([&] { return train_fully(run); }), 0);
  expect_same_as_straight(run);
}

TEST_F(Resume, AFullDiskCostsAWarningUnlessItStaysFull) {
  const auto run = dir / "full";
  // Two failures in a row, then room again.
  int calls = 0;
  const auto often_full = [&](const std::filesystem::path&) {
    if (++calls == 2 || calls == 3) fail(ErrorCode::kIo, "disk full (for this test)");
  };
  ToyRun toy;
  toy.checkpoint.every = 2;
  toy.save_extras = often_full;
  const TrainingOutcome outcome = toy.run(run);
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.steps, 12);
  EXPECT_EQ(calls, 6);
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints")) {
    EXPECT_EQ(entry.path().filename().string().find(".tmp."), std::string::npos);
  }
  // The last one fails: there is no later one.
  ToyRun last;
  last.train.steps = 4;
  last.save_extras = [](const std::filesystem::path& path) {
    if (path.string().find("00000004") != std::string::npos) fail(ErrorCode::kIo, "disk full");
  };
  last.checkpoint.every = 1;
  const TrainingOutcome end = last.run(dir / "last");
  EXPECT_EQ(end.exit_status, 74);
  EXPECT_EQ(end.last_directory, dir / "last" / "checkpoints" / "step-00000003");
}

TEST_F(Resume, ADiskThatStaysFullEndsTheRunWith74) {
  const auto run = dir / "limited";
  // What the kernel does on a full disk, for files beyond 600 bytes: weights and records.
  const int status = in_child([&] {
    install_signal_handlers();
    ToyRun toy;
    toy.train.steps = 1000;
    toy.checkpoint.every = 2;
    toy.log.every = 1;
    const rlimit limit{600, 600};
    setrlimit(RLIMIT_FSIZE, &limit);
    const TrainingOutcome outcome = toy.run(run);
    return outcome.steps == 6 && outcome.stopped == "disk full" ? outcome.exit_status : 1;
  });
  EXPECT_EQ(status, 74);
  EXPECT_TRUE(std::filesystem::is_empty(run / "checkpoints"));
  // What there is of the records is whole lines.
  EXPECT_GE(records(run).size(), 1u);
  EXPECT_LE(std::filesystem::file_size(run / "metrics.jsonl"), 600u);
}

TEST_F(Resume, OnlyOneRunAtATime) {
  const auto run = dir / "shared";
  std::filesystem::create_directories(run);
  {
    const RunLock held(run);
    ToyRun second;
    try {
      second.run(run);
      FAIL() << "two runs in one directory";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCannotCreate);
      EXPECT_THAT(error.what(), HasSubstr(concat("process ", getpid(), " on ")));
    }
    EXPECT_TRUE(std::filesystem::exists(run / "lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(run / "lock"));
  // The lock of a process that was killed is taken over.
  const int status = in_child([&] {
    const RunLock held(run);
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(status, 1000 + SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(run / "lock"));
  ToyRun next;
  EXPECT_EQ(next.run(run).steps, 12);
}

TEST_F(Resume, TheLockOfAnotherHostIsLeftAlone) {
  dir.write("run/lock", R"({"pid": 1, "host": "another-machine"})");
  try {
    const RunLock lock(dir / "run");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCannotCreate);
    EXPECT_THAT(error.what(), HasSubstr("process 1 on another-machine"));
    EXPECT_THAT(error.what(), HasSubstr("remove"));
  }
  dir.write("run/lock", "damaged");
  const RunLock lock(dir / "run");
}

}  // namespace
}  // namespace llmctl::test
