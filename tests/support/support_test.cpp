#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>

#include "support/device.h"
#include "support/parity_dir.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

namespace fs = std::filesystem;

TEST(TempDir, IsRemovedWithReadOnlyContent) {
  fs::path path;
  {
    TempDir directory;
    path = directory.path();
    EXPECT_EQ(slurp(directory.write("a/b.txt", "text")), "text");
    fs::permissions(path / "a", fs::perms::owner_read);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(Process, GivesInputAndReturnsOutputErrorsAndStatus) {
  ProcessOptions options;
  options.input = "line\n";
  options.env["LLMCTL_TEST_WORD"] = "word";
  options.unset = {"HOME"};
  const auto result = run_process(
      {"sh", "-c", "cat; echo $LLMCTL_TEST_WORD; echo ${HOME:-none} >&2; exit 3"}, options);
  EXPECT_EQ(result.status, 3) << result.describe();
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.out, "line\nword\n");
  EXPECT_EQ(result.err, "none\n");
  EXPECT_GT(result.max_rss_bytes, 0U);
}

TEST(Process, MovesMuchDataBothWaysAtOnce) {
  ProcessOptions options;
  options.input.assign(3 << 20, 'x');
  EXPECT_EQ(run_process({"cat"}, options).out, options.input);
  EXPECT_EQ(run_process({"true"}, options).status, 0) << "input that nobody reads";
}

TEST(Process, RunsInTheDirectoryGiven) {
  TempDir directory;
  ProcessOptions options;
  options.directory = directory.path();
  EXPECT_EQ(run_process({"pwd"}, options).out, directory.path().string() + "\n");
}

TEST(Process, SendsSignals) {
  TempDir directory;
  ProcessOptions options;
  options.signals = {signal_when_printed(SIGTERM, "ready")};
  EXPECT_EQ(run_process({"sh", "-c", "echo ready; exec sleep 30"}, options).signal, SIGTERM);
  options.signals = {signal_when_exists(SIGKILL, directory / "file")};
  EXPECT_EQ(
      run_process({"sh", "-c", "touch \"$0\"; exec sleep 30", directory / "file"}, options).signal,
      SIGKILL);
  options.signals = {signal_after(SIGINT, 0.05)};
  const auto result = run_process({"sleep", "30"}, options);
  EXPECT_EQ(result.signal, SIGINT) << result.describe();
  EXPECT_LT(result.seconds, 10);
}

TEST(Process, StopsAtTheTimeLimitWithItsChildren) {
  ProcessOptions options;
  options.timeout_seconds = 0.2;
  const auto result = run_process({"sh", "-c", "sleep 30; true"}, options);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_LT(result.seconds, 10);
}

TEST(Process, SetsLimits) {
  TempDir directory;
  ProcessOptions options;
  options.directory = directory.path();
  options.limits = {{RLIMIT_FSIZE, 4096}};
  const auto result =
      run_process({"sh", "-c", "head -c 100000 /dev/zero > big; wc -c < big"}, options);
  EXPECT_EQ(result.out, "4096\n") << result.describe();
}

TEST(Process, ThrowsWhenTheProgramDoesNotExist) {
  EXPECT_THROW(run_process({"/no/such/program"}), std::runtime_error);
}

TEST(ParityDir, ComesFromTheEnvironment) {
  TempDir directory;
  directory.write("models/b/config.json", "{}");
  directory.write("models/a/config.json", "{}");
  const std::string before = environment_or("LLMCTL_PARITY_DIR", "");
  setenv("LLMCTL_PARITY_DIR", directory.path().c_str(), 1);
  EXPECT_EQ(parity_dir(), directory.path());
  EXPECT_EQ(parity_cases("models"),
            (std::vector<fs::path>{directory / "models/a", directory / "models/b"}));
  EXPECT_TRUE(parity_cases("absent").empty());
  setenv("LLMCTL_PARITY_DIR", before.c_str(), 1);
}

}  // namespace
}  // namespace llmctl::test
