#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

TEST(FileLock, TheFileGoesWithIt) {
  const TempDir dir;
  {
    FileLock lock(dir / "lock");
    lock.write("holder");
    EXPECT_EQ(read_file(dir / "lock"), "holder");
    EXPECT_EQ(lock.read(), "holder");
    expect_error(ErrorCode::kTemporary, {"held by holder"}, [&] {
      FileLock(dir / "lock",
               [](std::string_view content) { fail(ErrorCode::kTemporary, "held by ", content); });
    });
    EXPECT_TRUE(std::filesystem::exists(dir / "lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "lock"));
  expect_error(ErrorCode::kCannotCreate, {"absent/lock"}, [&] { FileLock(dir / "absent/lock"); });
}

/// A process that waits for the lock, and then sees whether it is alone with it.
pid_t start_waiter(const TempDir& dir, bool fails) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  std::error_code error;
  auto lock = std::make_unique<FileLock>(dir / "lock");
  const bool alone = std::filesystem::create_directory(dir / "work", error);
  if (fails) {
    std::filesystem::remove(dir / "work", error);
    ::kill(::getpid(), SIGKILL);  // the kernel lets the lock go; the file stays
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::filesystem::remove(dir / "work", error);
  lock.reset();
  ::_exit(alone ? 0 : 1);
}

TEST(FileLock, TwoWaitersOfAHolderThatFailedAreNeverInTogether) {
  const TempDir dir;
  pid_t waiters[2];
  {
    const FileLock holder(dir / "lock");
    for (pid_t& waiter : waiters) waiter = start_waiter(dir, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // both have opened this file
  }  // removed: the first waiter has a lock on a file without a name
  for (const pid_t waiter : waiters) {
    int status = 0;
    ::waitpid(waiter, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "lock"));
}

TEST(FileLock, AKilledHolderHoldsNothing) {
  const TempDir dir;
  int status = 0;
  ::waitpid(start_waiter(dir, true), &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(std::filesystem::exists(dir / "lock"));
  {
    const FileLock lock(dir / "lock", [](std::string_view) { FAIL() << "held by nobody"; });
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "lock"));
}

}  // namespace
}  // namespace llmctl
