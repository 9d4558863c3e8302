// ctest -j N runs N tests at a time, and no more than N threads compute.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "support/paths.h"
#include "support/process.h"

namespace llmctl::test {
namespace {

using nlohmann::json;

TEST(CtestThreads, EveryTestHasOne) {
  const auto listed = run_process({"ctest", "--show-only=json-v1", "--test-dir", build_dir()});
  ASSERT_EQ(listed.status, 0) << listed.describe();
  std::size_t ours = 0;
  const json document = json::parse(listed.out);
  for (const json& test : document["tests"]) {
    std::set<std::string> environment, labels;
    for (const json& property : test["properties"]) {
      if (property["name"] == "ENVIRONMENT") environment = property["value"];
      if (property["name"] == "LABELS") labels = property["value"];
    }
    const std::string name = test["name"];
    if (name.find('.') == name.npos) continue;  // no GoogleTest: checks of the sources by CMake
    ++ours;
    EXPECT_TRUE(environment.contains("LLMCTL_THREADS=1")) << name;
    EXPECT_TRUE(environment.contains("OMP_NUM_THREADS=1")) << name;
  }
  EXPECT_GT(ours, 0u);
}

}  // namespace
}  // namespace llmctl::test
