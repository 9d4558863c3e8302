#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "runs/resolve.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;
namespace fs = std::filesystem;

/// The Hugging Face cache in a temporary directory while a test runs.
class ResolveModelDirectory : public ::testing::Test {
 protected:
  void SetUp() override { setenv("HF_HUB_CACHE", (cache_.path()).c_str(), 1); }
  void TearDown() override { unsetenv("HF_HUB_CACHE"); }
  TempDir cache_, work_;
};

TEST_F(ResolveModelDirectory, TakesAModelDirectory) {
  work_.write("model/config.json", "{}");
  EXPECT_EQ(resolve_model_directory((work_ / "model").string()), work_ / "model");
}

TEST_F(ResolveModelDirectory, TakesTheBestThenTheLastCheckpointOfARun) {
  const std::string run = (work_ / "run").string();
  work_.write("run/run.json", "{}");
  expect_error(ErrorCode::kMissing, {"no checkpoint yet"}, [&] { resolve_model_directory(run); });
  work_.write("run/checkpoints/step-1/config.json", "{}");
  work_.write("run/checkpoints/step-2/config.json", "{}");
  fs::create_directory_symlink("checkpoints/step-2", work_ / "run" / "last");
  EXPECT_EQ(resolve_model_directory(run).filename(), "step-2");
  fs::create_directory_symlink("checkpoints/step-1", work_ / "run" / "best");
  EXPECT_EQ(resolve_model_directory(run).filename(), "step-1");
  // A copy that has followed the links.
  fs::remove(work_ / "run" / "best");
  work_.write("run/best/config.json", "{}");
  EXPECT_EQ(resolve_model_directory(run).filename(), "best");
}

TEST_F(ResolveModelDirectory, TakesTheBestThenTheNewestCheckpointOfATrainer) {
  const std::string out = (work_ / "out").string();
  work_.write("out/checkpoint-500/config.json", "{}");
  work_.write("out/checkpoint-1000/config.json", "{}");
  work_.write("out/checkpoint-2000/optimizer.pt", "");  // no model
  work_.write("out/checkpoint-old/config.json", "{}");
  EXPECT_EQ(resolve_model_directory(out).filename(), "checkpoint-1000");
  work_.write("out/checkpoint-1000/trainer_state.json",
              R"({"best_model_checkpoint": "/home/ada/out/checkpoint-500"})");
  EXPECT_EQ(resolve_model_directory(out).filename(), "checkpoint-500");
  work_.write("out/checkpoint-1000/trainer_state.json",
              R"({"best_model_checkpoint": "/home/ada/out/checkpoint-700"})");
  EXPECT_EQ(resolve_model_directory(out).filename(), "checkpoint-1000");
}

TEST_F(ResolveModelDirectory, LooksIntoTheCache) {
  expect_error(ErrorCode::kMissing, {"hf download org/some-model", cache_.path().string()},
               [&] { resolve_model_directory("org/some-model"); });
  cache_.write("models--org--some-model/refs/main", "abc123\n");
  cache_.write("models--org--some-model/snapshots/abc123/config.json", "{}");
  EXPECT_EQ(resolve_model_directory("org/some-model"),
            cache_ / "models--org--some-model/snapshots/abc123");
  cache_.write("models--bert-base-uncased/refs/main", "d4");
  cache_.write("models--bert-base-uncased/snapshots/d4/config.json", "{}");
  EXPECT_EQ(resolve_model_directory("bert-base-uncased").filename(), "d4");
  // Names of the hub's first years stand for the organisations' of today.
  expect_error(ErrorCode::kMissing, {"hf download openai-community/gpt2"},
               [] { resolve_model_directory("gpt2"); });
  cache_.write("models--google-bert--bert-base-chinese/snapshots/e5/config.json", "{}");
  EXPECT_EQ(resolve_model_directory("bert-base-chinese").filename(), "e5");
  cache_.write("models--evil/refs/main", "../../..");
  expect_error(ErrorCode::kMissing, {"download evil"}, [] { resolve_model_directory("evil"); });
}

TEST_F(ResolveModelDirectory, SaysWhatIsWrong) {
  expect_error(ErrorCode::kMissing, {"config.json", "run.json"},
               [&] { resolve_model_directory(work_.path().string()); });
  const std::string file = work_.write("file", "x").string();
  expect_error(ErrorCode::kMissing, {"got a file"}, [&] { resolve_model_directory(file); });
  expect_error(ErrorCode::kMissing, {"no such directory"},
               [] { resolve_model_directory("no/such/place"); });
  const std::string gguf = work_.write("model-q4.gguf", "GGUF").string();
  EXPECT_EQ(resolve_model_directory(gguf), gguf);
  work_.write("other.gguf", "GGML");
  expect_error(ErrorCode::kData, {"other.gguf", "not a GGUF file"},
               [&] { resolve_model_directory((work_ / "other.gguf").string()); });
  expect_error(ErrorCode::kData, {".gguf", "name the file itself"},
               [&] { resolve_model_directory(work_.path().string()); });
  expect_error(ErrorCode::kUsage, {"no name"}, [] { resolve_model_directory(""); });
}

}  // namespace
}  // namespace llmctl
