// The libraries that llmctl links get along in one process: LibTorch and SentencePiece each carry a
// protobuf, LibTorch and spdlog each an fmt, and a second OpenMP run-time would slow everything.
#include <ATen/core/Tensor.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "llmctl/version.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

TEST(Libraries, TrainEncodeComputeAndLogInOneProcess) {
  TempDir directory;
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "the cat number " + std::to_string(i) + " sat\n今天天气很好" + std::to_string(i) + "\n";
  }
  directory.write("text.txt", text);
  const std::string prefix = (directory / "model").string();
  const auto trained = sentencepiece::SentencePieceTrainer::Train(
      "--input=" + (directory / "text.txt").string() + " --model_prefix=" + prefix +
      " --vocab_size=80 --model_type=bpe --hard_vocab_limit=false --minloglevel=2");
  ASSERT_TRUE(trained.ok()) << trained.ToString();

  sentencepiece::SentencePieceProcessor processor;
  ASSERT_TRUE(processor.Load(prefix + ".model").ok());
  std::vector<int> ids;
  ASSERT_TRUE(processor.Encode("the cat 今天天气", &ids).ok());
  EXPECT_FALSE(ids.empty());

  const at::Tensor a = at::rand({8, 8});
  EXPECT_EQ(at::matmul(a, a).sizes().vec(), (std::vector<int64_t>{8, 8}));
  set_log_level(LogLevel::kOff);
  log_info("a product of ", a.size(0));

  std::string decoded;
  ASSERT_TRUE(processor.Decode(ids, &decoded).ok());
  EXPECT_EQ(decoded, "the cat 今天天气");
}

TEST(Libraries, TheLoaderFindsAllAndOneOpenMp) {
  ProcessOptions bare;
  bare.unset = {"LD_LIBRARY_PATH"};
  const auto result = run_process({"ldd", llmctl_binary()}, bare);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.out.find("not found"), std::string::npos) << result.out;
  std::istringstream lines(result.out);
  std::set<std::string> runtimes;
  for (std::string line; std::getline(lines, line);) {
    for (const char* name : {"libgomp", "libomp", "libiomp"}) {
      if (line.find(name) != std::string::npos) runtimes.insert(line);
    }
  }
  EXPECT_LE(runtimes.size(), 1U) << result.out;
}

// LibTorch exports the std::filesystem of the compiler that built it. A program that got half of
// its file functions from there and half from its own standard library would crash.
TEST(Libraries, FileFunctionsAreNotThoseOfLibTorch) {
  namespace fs = std::filesystem;
  bool (*const create)(const fs::path&) = &fs::create_directories;
  std::uintmax_t (*const remove)(const fs::path&) = &fs::remove_all;
  for (void* const address : {reinterpret_cast<void*>(create), reinterpret_cast<void*>(remove)}) {
    Dl_info library{};
    ASSERT_NE(dladdr(address, &library), 0);
    EXPECT_EQ(std::string(library.dli_fname).find("libtorch"), std::string::npos)
        << library.dli_fname;
  }
}

TEST(Version, IsThatOfTheProjectAndNamesTheCommit) {
  EXPECT_EQ(std::string(version()).find_first_not_of("0123456789."), std::string::npos);
  EXPECT_FALSE(std::string(commit()).empty());
}

}  // namespace
}  // namespace llmctl::test
