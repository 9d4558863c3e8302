#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/hash.h"
#include "io/safetensors.h"
#include "toy.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

class Checkpoint : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }

  std::filesystem::path save(std::int64_t step) {
    state.step = step;
    return save_checkpoint(
        dir.path(), model, *optimizer, state,
        [](const std::filesystem::path& path) { std::ofstream(path / "tokenizer.json") << "{}"; });
  }
  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> out;
    for (const auto& [step, directory] : list_checkpoints(dir.path())) out.push_back(step);
    return out;
  }
  std::string error_of(const std::function<void()>& work, ErrorCode code = ErrorCode::kData) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  TempDir dir;
  FakeModel model{5};
  std::unique_ptr<Optimizer> optimizer = make_optimizer(
      OptimConfig(), model.parameters(), std::vector<ParameterPlan>{{.decay = true}});
  TrainerState state;
};

TEST_F(Checkpoint, HoldsAModelDirectoryAndWhatResumingNeeds) {
  state.best = 0.1 + 0.2;
  state.tokens = 12345;
  state.scores = {{"loss", 1.0 / 3}};
  const auto path = save(1000);
  EXPECT_EQ(path, dir / "checkpoints" / "step-00001000");
  const Json manifest = load_json(path / "manifest.json");
  EXPECT_EQ(manifest["format"], 1);
  std::set<std::string> names;
  for (const auto& [name, file] : manifest["files"].items()) {
    names.insert(name);
    EXPECT_EQ(file["size"].get<std::uintmax_t>(), std::filesystem::file_size(path / name));
    EXPECT_EQ(file["sha256"], sha256_file(path / name));
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"config.json", "model.safetensors", "optimizer.safetensors",
                                   "tokenizer.json", "trainer.json"}));
  const SafetensorsFile moments(path / "optimizer.safetensors");
  EXPECT_TRUE(moments.contains("exp_avg.table.weight"));

  const TrainerState read = read_trainer_state(path);
  EXPECT_EQ(read.best, 0.1 + 0.2);
  EXPECT_EQ(read.tokens, 12345);
  EXPECT_EQ(read.scores["loss"].get<double>(), 1.0 / 3);
}

TEST_F(Checkpoint, SharesOfOlderRunsBecomePercentages) {
  const auto path = save(7);
  Json trainer = load_json(path / "trainer.json");
  trainer.erase("format");
  trainer.erase("best_score");
  trainer["scores"] = {{"accuracy", 0.25}, {"loss", 0.5}, {"exact_match", 30.0}};
  trainer["best_scores"] = {{"macro_f1", 0.75}, {"masked_accuracy", 1.0}};
  write_file(path / "trainer.json", dump_json(trainer));
  const TrainerState read = read_trainer_state(path);
  EXPECT_EQ(read.scores, Json::parse(R"({"accuracy": 25.0, "loss": 0.5, "exact_match": 30.0})"));
  EXPECT_EQ(read.best_scores, Json::parse(R"({"macro_f1": 75.0, "masked_accuracy": 100.0})"));
  EXPECT_EQ(read_trainer_state(save(8)).format, 2) << "written as percentages";
}

TEST_F(Checkpoint, RestoresModelAndOptimizer) {
  ToyLoss loss(model);
  const auto train = [&](FakeModel& trained, Optimizer& rule) {
    ToyLoss own(trained);
    own.terms(ToySource::make_batch(3, 0, 4), Context())[0].sum.backward();
    rule.step(0.1, 1.0);
    trained.table().mutable_grad().reset();
  };
  FakeModel big{kToyVocab}, other{kToyVocab};
  auto rule = make_optimizer(OptimConfig(), big.parameters(), {{.decay = true}});
  train(big, *rule);
  train(big, *rule);
  state.step = 3;
  state.skipped = 1;
  const auto path = save_checkpoint(dir.path(), big, *rule, state, {});
  auto other_rule = make_optimizer(OptimConfig(), other.parameters(), {{.decay = true}});
  TrainerState read;
  load_checkpoint(path, other, *other_rule, read);
  EXPECT_EQ(read.step, 3);
  EXPECT_TRUE(other.table().equal(big.table()));
  train(big, *rule);
  train(other, *other_rule);
  EXPECT_TRUE(other.table().equal(big.table()));

  FakeModel wrong{kToyVocab + 1};
  auto wrong_rule = make_optimizer(OptimConfig(), wrong.parameters(), {{.decay = true}});
  const std::string text = error_of([&] { load_checkpoint(path, wrong, *wrong_rule, read); });
  EXPECT_THAT(text, HasSubstr("table.weight"));
  EXPECT_THAT(text, HasSubstr("[12, 12]"));
}

TEST_F(Checkpoint, ReplacesOneOfTheSameStep) {
  save(5);
  state.tokens = 7;
  EXPECT_EQ(read_trainer_state(save(5)).tokens, 7);
  EXPECT_EQ(steps(), std::vector<std::int64_t>{5});
}

TEST_F(Checkpoint, LeavesNothingBehindAFailure) {
  state.step = 1;
  const auto failing = [&] {
    save_checkpoint(dir.path(), model, *optimizer, state,
                    [](const std::filesystem::path&) { fail(ErrorCode::kIo, "disk full"); });
  };
  EXPECT_EQ(error_of(failing, ErrorCode::kIo), "disk full");
  EXPECT_TRUE(std::filesystem::is_empty(dir / "checkpoints"));
}

TEST_F(Checkpoint, FindsTheNewestGoodOne) {
  EXPECT_FALSE(find_good_checkpoint(dir.path()).has_value());
  save(2);
  const auto newest = save(10);
  std::filesystem::create_directories(dir / "checkpoints" / "step-99");
  std::filesystem::create_directories(dir / "checkpoints" / "step-00000020.tmp.host.1");
  std::filesystem::create_directories(dir / "checkpoints" / "other");
  dir.write("checkpoints/step-00000030", "a file");
  EXPECT_EQ(find_good_checkpoint(dir.path()), newest);
  std::ofstream(newest / "model.safetensors", std::ios::app) << "x";
  EXPECT_EQ(find_good_checkpoint(dir.path()), dir / "checkpoints" / "step-00000002");
}

TEST_F(Checkpoint, VerifiesSizesForOtherCommands) {
  const auto path = save(1);
  verify_checkpoint_sizes(path);
  std::filesystem::resize_file(path / "model.safetensors", 10);
  EXPECT_THAT(error_of([&] { verify_checkpoint_sizes(path); }),
              HasSubstr("model.safetensors: has 10 bytes"));
  std::filesystem::remove(path / "model.safetensors");
  EXPECT_THAT(error_of([&] { verify_checkpoint_sizes(path); }), HasSubstr("is missing"));
  dir.write("checkpoints/step-00000001/manifest.json", R"({"format": 2, "files": {}})");
  EXPECT_THAT(error_of([&] { verify_checkpoint_sizes(path); }), HasSubstr("format 2"));
  dir.write("checkpoints/step-00000001/manifest.json", R"({"format": 1, "files": {}})");
  EXPECT_THAT(error_of([&] { verify_checkpoint_sizes(path); }), HasSubstr("names no config.json"));
}

TEST_F(Checkpoint, PrunesButNeverTheBestOrTheLast) {
  for (std::int64_t step = 1; step <= 6; ++step) save(step);
  link_checkpoints(dir.path(), 6, 2);
  prune_checkpoints(dir.path(), 2);
  EXPECT_EQ(steps(), (std::vector<std::int64_t>{2, 5, 6}));
  // The best is no longer there: its link keeps what it points to until there is a better one.
  link_checkpoints(dir.path(), 5, 4);
  prune_checkpoints(dir.path(), 0);
  EXPECT_EQ(steps(), (std::vector<std::int64_t>{2, 5, 6}));
  EXPECT_EQ(std::filesystem::read_symlink(dir / "last"), "checkpoints/step-00000005");
}

TEST_F(Checkpoint, DiscardsWhatARunMakesAgain) {
  for (std::int64_t step = 1; step <= 4; ++step) save(step);
  link_checkpoints(dir.path(), 4, 4);
  std::filesystem::create_directories(dir / "checkpoints" / ".trash-step-00000009" / "x");
  discard_checkpoints_after(dir.path(), 2);
  link_checkpoints(dir.path(), 2, 1);
  EXPECT_EQ(steps(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_FALSE(std::filesystem::exists(dir / "checkpoints" / ".trash-step-00000009"));
  EXPECT_EQ(std::filesystem::read_symlink(dir / "best"), "checkpoints/step-00000001");
  discard_checkpoints_after(dir.path(), 0);
  link_checkpoints(dir.path(), 0, 0);
  EXPECT_FALSE(std::filesystem::is_symlink(dir / "best"));
}

}  // namespace
}  // namespace llmctl::test
