#include "base/signals.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/files.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

TEST(Signals, TheFirstOneAsksForAStop) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto result = test::run_child([=] {
      install_signal_handlers();
      install_signal_handlers();
      require(stop_requested() == 0, ErrorCode::kInternal, "asked before any signal");
      ::raise(signal);
      require(stop_requested() == signal, ErrorCode::kInternal, "not asked");
    });
    EXPECT_EQ(result.status, 0) << result.err;
  }
}

TEST(Signals, TheSecondOneEndsTheProcess) {
  const auto twice = [](int first, int second) {
    return test::run_child([=] {
      install_signal_handlers();
      ::raise(first);
      ::raise(second);
    });
  };
  EXPECT_EQ(twice(SIGINT, SIGINT).status, 130);
  EXPECT_EQ(twice(SIGTERM, SIGTERM).status, 143);
  EXPECT_EQ(twice(SIGTERM, SIGINT).status, 130);
}

TEST(Signals, AWaitForInputEnds) {
  const auto result = test::run_child([] {
    install_signal_handlers();
    int ends[2];
    require(::pipe(ends) == 0, ErrorCode::kInternal, "pipe");
    ::alarm(0);
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
      ::usleep(50'000);
      ::kill(parent, SIGINT);
      ::_exit(0);
    }
    char byte;
    const ssize_t got = ::read(ends[0], &byte, 1);
    require(got == -1 && errno == EINTR, ErrorCode::kInternal, "the wait went on");
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Signals, AClosedPipeIsAnError) {
  const auto result = test::run_child([] {
    install_signal_handlers();
    int ends[2];
    require(::pipe(ends) == 0, ErrorCode::kInternal, "pipe");
    ::close(ends[0]);
    require(::write(ends[1], "x", 1) == -1 && errno == EPIPE, ErrorCode::kInternal, "no EPIPE");
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Signals, TheLimitOfFileSizesIsAnError) {
  const test::TempDir dir;
  const auto result = test::run_child([&] {
    install_signal_handlers();
    const rlimit limit = {100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    write_file(dir / "big", std::string(200'000, 'x'));
  });
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.err, concat(dir / "big", ": writing failed: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace llmctl
