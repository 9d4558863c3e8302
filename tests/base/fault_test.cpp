#include "base/fault.h"

#include <gtest/gtest.h>

#include <csignal>

#include "support/child.h"

namespace llmctl {
namespace {

test::ChildResult pass(const char* setting, const char* point, int times) {
  return test::run_child([=] {
    ::setenv("LLMCTL_FAULT", setting, 1);
    for (int i = 0; i < times; ++i) {
      fault_point("another");
      fault_point(point);
    }
  });
}

TEST(Fault, KillsAtTheChosenPassageOfTheNamedPoint) {
  EXPECT_EQ(pass("write:3", "write", 2).status, 0);
  EXPECT_EQ(pass("write:3", "write", 3).signal, SIGKILL);
  EXPECT_EQ(pass("write", "write", 1).signal, SIGKILL);  // without a number: the first
  EXPECT_EQ(pass("write:1", "fsync", 5).status, 0);
  EXPECT_EQ(pass("writes:1", "write", 5).status, 0);
  EXPECT_EQ(pass("", "write", 5).status, 0);
}

TEST(Fault, SendsASignalOnce) {
  for (const auto& [setting, signal] :
       {std::pair{"write:2/INT", SIGINT}, std::pair{"write:2/TERM", SIGTERM}}) {
    EXPECT_EQ(pass(setting, "write", 1).status, 0);
    EXPECT_EQ(pass(setting, "write", 2).signal, signal);
  }
  const auto once = test::run_child([] {
    static int count = 0;
    ::setenv("LLMCTL_FAULT", "write:1/INT", 1);
    std::signal(SIGINT, [](int) { ++count; });
    for (int i = 0; i < 3; ++i) fault_point("write");
    ::_exit(count);
  });
  EXPECT_EQ(once.status, 1);
}

TEST(Fault, DoesNothingWhenUnset) {
  const auto result = test::run_child([] {
    ::unsetenv("LLMCTL_FAULT");
    fault_point("write");
  });
  EXPECT_EQ(result.status, 0);
}

}  // namespace
}  // namespace llmctl
