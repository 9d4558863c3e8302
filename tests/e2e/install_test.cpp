// What `cmake --install` gives works elsewhere: the program, and the library for a stranger's
// program.
#include <gtest/gtest.h>

#include <filesystem>

#include "llmctl/version.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

TEST(Install, WorksAtAnotherPlaceAndForAStrangersProgram) {
  TempDir directory;
  const auto installed = directory / "installed";
  const auto moved = directory / "moved here";
  auto result = run_process({"cmake", "--install", build_dir(), "--prefix", installed.string()});
  ASSERT_EQ(result.status, 0) << result.describe();
  std::filesystem::rename(installed, moved);

  ProcessOptions bare;
  bare.unset = {"LD_LIBRARY_PATH"};
  result = run_process({moved / "bin/llmctl", "--version"}, bare);
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.out.find(version()), std::string::npos) << result.describe();

  for (const char* file :
       {"share/man/man1/llmctl.1", "share/bash-completion/completions/llmctl",
        "share/zsh/site-functions/_llmctl", "share/fish/vendor_completions.d/llmctl.fish",
        "share/llmctl/configs/pretrain/toy-causal.json"}) {
    EXPECT_GT(std::filesystem::file_size(moved / file), 0u) << file;
  }

  const auto build = (directory / "build").string();
  result = run_process({"cmake", "-S", source_dir() / "tests/install", "-B", build,
                        "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_PREFIX_PATH=" + moved.string(),
                        std::string("-DCMAKE_CXX_FLAGS=") + sanitizer_flags()});
  ASSERT_EQ(result.status, 0) << result.describe();
  result = run_process({"cmake", "--build", build}, bare);
  ASSERT_EQ(result.status, 0) << result.describe();
  result = run_process({build + "/stranger"}, bare);
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.out, std::string("llmctl ") + version() + "\n");
}

}  // namespace
}  // namespace llmctl::test
