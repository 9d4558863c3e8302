#include "base/fault.h"

#include <gtest/gtest.h>

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

TEST(Fault, DoesNothingWhenUnset) {
  const auto result = test::run_child([] {
    ::unsetenv("LLMCTL_FAULT");
    fault_point("write");
  });
  EXPECT_EQ(result.status, 0);
}

}  // namespace
}  // namespace llmctl
