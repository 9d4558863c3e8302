// How many threads compute and how they wait, as the environment and the options say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/llmctl.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::vector<std::string> kWaiting = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"};

json facts(const std::vector<std::string>& options, ProcessOptions process) {
  std::vector<std::string> command = {"doctor", "--json"};
  command.insert(command.end(), options.begin(), options.end());
  const auto result = run_llmctl(command, process);
  EXPECT_EQ(result.status, 0) << result.describe();
  return json::parse(result.out)["facts"];
}

TEST(ComputeThreads, WaitWithoutSpinningUnlessTheUserHasChosen) {
  ProcessOptions plain;
  plain.unset = kWaiting;
  const json found = facts({}, plain);
  EXPECT_EQ(found["thread_waiting"], "OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=500");
  EXPECT_EQ(found["threads"], "1");  // LLMCTL_THREADS, which run_llmctl sets

  ProcessOptions chosen = plain;
  chosen.unset = {"OMP_WAIT_POLICY", "KMP_BLOCKTIME"};
  chosen.env["GOMP_SPINCOUNT"] = "1000";
  EXPECT_EQ(facts({"--threads", "2"}, chosen)["thread_waiting"], "GOMP_SPINCOUNT=1000");
}

TEST(ComputeThreads, AreNotAnyNumber) {
  ProcessOptions options;
  options.env["LLMCTL_THREADS"] = "many";
  const auto result = run_llmctl({"doctor"}, options);
  EXPECT_EQ(result.status, 64) << result.describe();
  expect_one_line_error(result, {"LLMCTL_THREADS", "expected 0 to 1024, got 'many'"});
}

}  // namespace
}  // namespace llmctl::test
