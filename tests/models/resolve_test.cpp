#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "support/temp_dir.h"
#include "tiny_models.h"

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
  expect_error([&] { resolve_model_directory(run); }, ErrorCode::kMissing, {"no checkpoint yet"});
  work_.write("run/checkpoints/step-1/config.json", "{}");
  work_.write("run/checkpoints/step-2/config.json", "{}");
  fs::create_directory_symlink("checkpoints/step-2", work_ / "run" / "last");
  EXPECT_EQ(resolve_model_directory(run).filename(), "step-2");
  fs::create_directory_symlink("checkpoints/step-1", work_ / "run" / "best");
  EXPECT_EQ(resolve_model_directory(run).filename(), "step-1");
}

TEST_F(ResolveModelDirectory, LooksIntoTheCache) {
  expect_error([&] { resolve_model_directory("org/some-model"); }, ErrorCode::kMissing,
               {"huggingface-cli download org/some-model", cache_.path().string()});
  cache_.write("models--org--some-model/refs/main", "abc123\n");
  cache_.write("models--org--some-model/snapshots/abc123/config.json", "{}");
  EXPECT_EQ(resolve_model_directory("org/some-model"),
            cache_ / "models--org--some-model/snapshots/abc123");
  cache_.write("models--bert-base-uncased/refs/main", "d4");
  cache_.write("models--bert-base-uncased/snapshots/d4/config.json", "{}");
  EXPECT_EQ(resolve_model_directory("bert-base-uncased").filename(), "d4");
  cache_.write("models--evil/refs/main", "../../..");
  expect_error([] { resolve_model_directory("evil"); }, ErrorCode::kMissing, {"download evil"});
}

TEST_F(ResolveModelDirectory, SaysWhatIsWrong) {
  expect_error([&] { resolve_model_directory(work_.path().string()); }, ErrorCode::kMissing,
               {"config.json", "run.json"});
  const std::string file = work_.write("file", "x").string();
  expect_error([&] { resolve_model_directory(file); }, ErrorCode::kMissing, {"got a file"});
  expect_error([] { resolve_model_directory("no/such/place"); }, ErrorCode::kMissing,
               {"no such directory"});
  expect_error([] { resolve_model_directory(""); }, ErrorCode::kUsage, {"no name"});
}

}  // namespace
}  // namespace llmctl
