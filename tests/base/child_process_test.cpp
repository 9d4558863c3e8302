#include "base/child_process.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/error.h"

namespace llmctl {
namespace {

TEST(ChildProcess, GivesStatusAndOutput) {
  const ChildResult result = run_child({"/bin/sh", "-c", "printf 'a line\\n'; exit 3"});
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "a line\n");
  EXPECT_EQ(run_child({"/bin/sh", "-c", "kill -9 $$"}).status, 128 + 9);
  // More than a pipe holds.
  EXPECT_EQ(run_child({"/bin/sh", "-c", "head -c 300000 /dev/zero"}).out.size(), 300000u);
}

TEST(ChildProcess, LeavesVariablesOut) {
  ASSERT_EQ(::setenv("LLMCTL_CHILD_TEST", "here", 1), 0);
  const std::vector<std::string> command = {"/bin/sh", "-c", "printf %s \"$LLMCTL_CHILD_TEST\""};
  EXPECT_EQ(run_child(command).out, "here");
  EXPECT_EQ(run_child(command, {"LLMCTL_CHILD_TEST"}).out, "");
  EXPECT_EQ(run_child(command, {"LLMCTL_CHILD"}).out, "here");
}

TEST(ChildProcess, SaysWhatCannotBeStarted) {
  try {
    run_child({"/nowhere/program"});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTemporary);
    EXPECT_NE(std::string(error.what()).find("/nowhere/program"), std::string::npos);
  }
}

}  // namespace
}  // namespace llmctl
